#!/bin/sh
# Makes a key for the callers where the environment has none. It is shown once; its hash alone is kept.
set -eu
if [ -n "${API_KEYS:-}" ]; then
  exit 0
fi
key="sk-$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
if command -v sha256sum >/dev/null; then
  hash=$(printf %s "$key" | sha256sum | cut -d ' ' -f 1)
else
  hash=$(printf %s "$key" | shasum -a 256 | cut -d ' ' -f 1)
fi
azd env set API_KEYS "sha256:$hash=default"
echo "The key of the project 'default', which is not shown again: $key"
