param token string
param location string
param tags object
param pythonVersion string
param identityId string
param identityClientId string
param storageName string
param deploymentContainer string
param insightsName string
param subnetId string
@secure()
param apiKeys string
param corsOrigins string
param openAiBaseUrl string
@secure()
param openAiApiKey string
param azureOpenAiEndpoint string
param modelMap string
param entraTenant string
param entraAudience string
param entraProjects string
param threadTtlDays string
param fileTtlDays string
@secure()
param appSettings object
param sessionPool string
param httpConcurrency int
param alwaysReady int
param maximumInstances int

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: 'func-${token}'
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: { minTlsVersion: '1.2' }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${deploymentContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: { name: 'python', version: pythonVersion }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: maximumInstances
        alwaysReady: alwaysReady == 0 ? [] : [
          { name: 'http', instanceCount: alwaysReady }
          { name: 'function:work', instanceCount: alwaysReady }
        ]
        triggers: {
          http: { perInstanceConcurrency: httpConcurrency }
        }
      }
    }
  }
}

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union({
    AzureWebJobsStorage__accountName: storage.name
    AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
    AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    AzureWebJobsDisableHomepage: 'true'
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    PYTHON_ENABLE_INIT_INDEXING: '1'
    FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '545259520'
    AZURE_CLIENT_ID: identityClientId
    API_KEYS: apiKeys
    CORS_ORIGINS: corsOrigins
    OPENAI_BASE_URL: openAiBaseUrl
    OPENAI_API_KEY: openAiApiKey
    AZURE_OPENAI_ENDPOINT: azureOpenAiEndpoint
    MODEL_MAP: modelMap
    ENTRA_TENANT: entraTenant
    ENTRA_AUDIENCE: entraAudience
    ENTRA_PROJECTS: entraProjects
    THREAD_TTL_DAYS: threadTtlDays
    FILE_TTL_DAYS: fileTtlDays
    CODE_INTERPRETER_POOL: sessionPool
  }, appSettings)
}

output name string = app.name
output uri string = 'https://${app.properties.defaultHostName}'
