#!/bin/sh
# Signs in to the registry of the images, with the role of the instance.
set -eu
image="$(/opt/elasticbeanstalk/bin/get-config environment -k LOOKALIKE_IMAGE)"
token="$(curl -sS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)"
region="$(curl -sS -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/placement/region)"
aws ecr get-login-password --region "$region" | docker login --username AWS --password-stdin "${image%%/*}"
