targetScope = 'subscription'

@minLength(1)
@maxLength(40)
@description('Name of the environment, of which the names of all resources are made.')
param environmentName string

@minLength(1)
@description('Region; Flex Consumption has to be offered there.')
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@description('Object id of the person or pipeline that deploys, who gets the same access to the data.')
param principalId string = ''

@allowed(['User', 'ServicePrincipal', 'Group'])
param principalType string = 'User'

@allowed(['3.11', '3.12', '3.13', '3.14'])
param pythonVersion string = '3.12'

@secure()
@description('Keys of the callers, hashed: sha256:HEX=project,...; empty: every request is refused.')
param apiKeys string = ''

@description('Origins whose pages may call, separated by commas; empty: the CORS of the platform.')
param corsOrigins string = ''

@description('A chat-completions endpoint, where no Azure OpenAI account is made here.')
param openAiBaseUrl string = ''

@secure()
@description('Its key.')
param openAiApiKey string = ''

@description('The names that the endpoint has for the models: gpt-4o=deployment-a,*=deployment-b')
param modelMap string = ''

@description('Tenant of Entra ID whose access tokens are accepted beside keys; empty: keys only.')
param entraTenant string = ''

@description('Audiences of such tokens, separated by commas; empty: https://ai.azure.com.')
param entraAudience string = ''

@description('The projects of such tokens: oid=ID=project,roles=NAME=project,*=project')
param entraProjects string = ''

@description('Days without use after which a thread is deleted; empty: never.')
param threadTtlDays string = ''

@description('Days without use after which a file is deleted; empty: never.')
param fileTtlDays string = ''

@secure()
@description('Any other application settings, as an object of strings; they go before those of this template.')
param appSettings object = {}

@description('Whether to make an Azure OpenAI account with a chat and an embedding deployment.')
param createOpenAi bool = false

@description('Model of the chat deployment: one that new deployments may still have.')
param chatModel string = 'gpt-5.4-mini'
param chatModelVersion string = '2026-03-17'

@description('Thousands of tokens a minute.')
param chatCapacity int = 50

@description('Thousands of tokens a minute.')
param embeddingCapacity int = 50

@description('Whether to make a pool of sessions that run the code of code_interpreter.')
param createSessionPool bool = false

@description('Whether storage is reached through private endpoints only.')
param privateNetwork bool = false

@description('HTTP requests that an instance takes at the same time; a stream is one for as long as it lasts.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 50

@description('Instances that wait for requests, and as many that wait for runs.')
@minValue(0)
param alwaysReady int = 1

@minValue(1)
@maxValue(1000)
param maximumInstances int = 100

@description('Address that alerts are sent to; empty: alerts are shown in the portal only.')
param alertEmail string = ''

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: { name: 'id-${token}', location: location, tags: tags }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: { token: token, location: location, tags: tags }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${token}'
    location: location
    tags: tags
    privateNetwork: privateNetwork
    identityPrincipalId: identity.outputs.principalId
    principalId: principalId
    principalType: principalType
  }
}

module endpoints 'modules/endpoints.bicep' = if (privateNetwork) {
  name: 'endpoints'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    storageName: storage.outputs.name
    #disable-next-line BCP318
    networkId: privateNetwork ? network.outputs.networkId : ''
    #disable-next-line BCP318
    subnetId: privateNetwork ? network.outputs.endpointsSubnetId : ''
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    identityPrincipalId: identity.outputs.principalId
    principalId: principalId
    principalType: principalType
  }
}

module openAi 'modules/openai.bicep' = if (createOpenAi) {
  name: 'openai'
  scope: group
  params: {
    name: 'oai-${token}'
    location: location
    tags: tags
    identityPrincipalId: identity.outputs.principalId
    chatModel: chatModel
    chatModelVersion: chatModelVersion
    chatCapacity: chatCapacity
    embeddingCapacity: embeddingCapacity
  }
}

module sessions 'modules/sessions.bicep' = if (createSessionPool) {
  name: 'sessions'
  scope: group
  params: { name: 'sp-${token}', location: location, tags: tags, identityPrincipalId: identity.outputs.principalId }
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    pythonVersion: pythonVersion
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storage.outputs.name
    deploymentContainer: storage.outputs.deploymentContainer
    insightsName: monitoring.outputs.insightsName
    #disable-next-line BCP318
    subnetId: privateNetwork ? network.outputs.appSubnetId : ''
    apiKeys: apiKeys
    corsOrigins: corsOrigins
    openAiBaseUrl: openAiBaseUrl
    openAiApiKey: openAiApiKey
    #disable-next-line BCP318
    azureOpenAiEndpoint: createOpenAi ? openAi.outputs.endpoint : ''
    modelMap: !empty(modelMap) ? modelMap : createOpenAi ? '*=chat' : ''
    entraTenant: entraTenant
    entraAudience: entraAudience
    entraProjects: entraProjects
    threadTtlDays: threadTtlDays
    fileTtlDays: fileTtlDays
    appSettings: appSettings
    #disable-next-line BCP318
    sessionPool: createSessionPool ? sessions.outputs.endpoint : ''
    httpConcurrency: httpConcurrency
    alwaysReady: alwaysReady
    maximumInstances: maximumInstances
  }
  dependsOn: [endpoints]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    insightsId: monitoring.outputs.insightsId
    storageId: storage.outputs.id
    email: alertEmail
  }
}

output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output SERVICE_API_NAME string = app.outputs.name
output SERVICE_API_URI string = app.outputs.uri
output STORAGE_ACCOUNT string = storage.outputs.name
