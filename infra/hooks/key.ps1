# Makes a key for the callers where the environment has none. It is shown once; its hash alone is kept.
$ErrorActionPreference = 'Stop'
if ($env:API_KEYS) { exit 0 }
$random = [byte[]]::new(24)
[System.Security.Cryptography.RandomNumberGenerator]::Fill($random)
$key = 'sk-' + [Convert]::ToHexString($random).ToLowerInvariant()
$digest = [System.Security.Cryptography.SHA256]::HashData([Text.Encoding]::UTF8.GetBytes($key))
$hash = [Convert]::ToHexString($digest).ToLowerInvariant()
azd env set API_KEYS "sha256:$hash=default"
if ($LASTEXITCODE) { exit $LASTEXITCODE }
Write-Host "The key of the project 'default', which is not shown again: $key"
