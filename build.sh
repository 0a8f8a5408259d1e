#!/bin/sh
# The one door to the project: ./build.sh VERB; without a verb it lists them.
cd "$(dirname "$0")" && exec python3 -m tools "$@"
