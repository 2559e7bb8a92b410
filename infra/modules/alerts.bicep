param token string
param location string
param tags object
param insightsId string
param storageId string
param email string

// The functions of poison queues are QUEUE_poison, their spans process QUEUE-poison.
// A line of the logger assistants.runs is JSON, with the level and the logger before it where it came from standard error.
var runs = 'traces | where message has \'"run":\' | extend line = parse_json(extract(@\'(\\{.*\\})\', 1, message)) | where isnotempty(line.to)'
var rules = [
  {
    name: 'poison'
    title: 'An item is in a -poison queue'
    severity: 1
    query: 'union (requests | where name endswith "_poison" or name endswith "-poison"), (customMetrics | where name == "assistants.items.poisoned" and valueSum > 0)'
    above: 0
  }
  {
    name: 'age-of-work'
    title: 'Runs waited more than a minute in the queue work, or wait there for five'
    severity: 2
    query: 'let lines = ${runs}; union (lines | where line.from == "queued" and line.to == "in_progress" and todouble(line.seconds) > 60), (lines | extend at = iff(line.to == "queued", timestamp - 1s, timestamp) | summarize arg_max(at, line) by run = tostring(line.run) | where line.to == "queued" and at < ago(5m))'
    above: 0
  }
  {
    name: 'server-errors'
    title: 'More than 2 % of at least 20 requests are answered with 5xx'
    severity: 1
    query: 'requests | where isnotempty(url) | summarize all = sum(itemCount), bad = sumif(itemCount, toint(resultCode) >= 500) | where all >= 20 and bad > 0.02 * all'
    above: 0
  }
  {
    name: 'failed-runs'
    title: 'More than 5 runs have failed'
    severity: 2
    query: '${runs} | where line.to == "failed"'
    above: 5
  }
]

resource action 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'ag-${token}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'assistants'
    enabled: true
    emailReceivers: [
      { name: 'operator', emailAddress: email, useCommonAlertSchema: true }
    ]
  }
}

resource queries 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = [for rule in rules: {
  name: '${rule.name}-${token}'
  location: location
  tags: tags
  properties: {
    displayName: rule.title
    severity: rule.severity
    enabled: true
    scopes: [insightsId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: rule.above
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: empty(email) ? [] : [action.id] }
  }
}]

resource throttled 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'storage-throttled-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Storage refuses requests as there are too many'
    severity: 2
    enabled: true
    scopes: [storageId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'throttled'
          metricName: 'Transactions'
          dimensions: [
            {
              name: 'ResponseType'
              operator: 'Include'
              values: ['ServerBusyError', 'ClientThrottlingError', 'ClientAccountRequestThrottlingError', 'ClientAccountBandwidthThrottlingError']
            }
          ]
          operator: 'GreaterThan'
          threshold: 10
          timeAggregation: 'Total'
        }
      ]
    }
    actions: empty(email) ? [] : [{ actionGroupId: action.id }]
  }
}
