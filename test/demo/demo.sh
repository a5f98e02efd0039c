#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shows a whole live migration between two throwaway servers, and checks it. What it takes: demo.py --help.
set -euo pipefail
exec /usr/bin/python3 "$(dirname "$0")/demo.py" "$@"
