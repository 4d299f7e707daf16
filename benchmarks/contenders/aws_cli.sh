#!/bin/sh
# A contender: what people write with the AWS CLI and xargs. Started by quota.py: aws_cli.sh PROCESSES POLL_S POLLS
# Each request is a process of its own. Its default retries; what it gives up on is lost. Prints the UUIDs seen Disabled.
set -eu
POLL_S=$2 POLLS=$3
export POLL_S POLLS
aws lambda list-event-source-mappings --query "EventSourceMappings[?State=='Enabled'].[UUID]" --output text |
    xargs -n 1 -P "$1" sh -c '
        aws lambda update-event-source-mapping --uuid "$0" --no-enabled >/dev/null || exit 0
        polls=0
        while [ "$polls" -lt "$POLLS" ]; do
            sleep "$POLL_S"
            polls=$((polls + 1))
            state=$(aws lambda get-event-source-mapping --uuid "$0" --query State --output text) || exit 0
            if [ "$state" = Disabled ]; then echo "$0"; exit 0; fi
        done'
