param name string
param location string
param tags object
param identityPrincipalId string

var roles = {
  'Azure ContainerApps Session Executor': '0fb8eba5-a2bb-4abe-b1c1-49dfad359bb0'
}

resource pool 'Microsoft.App/sessionPools@2025-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    containerType: 'PythonLTS'
    poolManagementType: 'Dynamic'
    dynamicPoolConfiguration: {
      lifecycleConfiguration: {
        lifecycleType: 'Timed'
        cooldownPeriodInSeconds: 3600
      }
    }
    scaleConfiguration: { maxConcurrentSessions: 100 }
    sessionNetworkConfiguration: { status: 'EgressDisabled' }
  }
}

resource ofTheApp 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in items(roles): {
  scope: pool
  name: guid(pool.id, identityPrincipalId, role.value)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.value)
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
  }
}]

output endpoint string = pool.properties.poolManagementEndpoint
