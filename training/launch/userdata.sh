#!/bin/bash
# The end comes first: whatever happens later, the machine switches itself off, and is thereby terminated.
shutdown -h +@MINUTES@ || first=missing
systemd-run --on-active=@LATER_MINUTES@m systemctl poweroff --force --force || second=missing
trap 'shutdown -h now || systemctl poweroff --force --force' EXIT
if [ -n "${first:-}" ] && [ -n "${second:-}" ]; then
  echo "ludwig-serverless: no timer could be set, so nothing is run"
  exit 1
fi

set -u -o pipefail
image=@IMAGE@
place=@PLACE@
region=@REGION@
registry=${image%%/*}

# Private images in ECR: the Deep Learning AMI has the AWS CLI; others may not.
case $registry in
  *.dkr.ecr.*.amazonaws.com)
    echo "ludwig-serverless: logging in to $registry"
    command -v aws || timeout 300 snap install aws-cli --classic
    registry_region=${registry#*.dkr.ecr.}
    aws ecr get-login-password --region "${registry_region%%.*}" |
      docker login --username AWS --password-stdin "$registry" || exit 1
    ;;
esac

echo "ludwig-serverless: pulling $image"
for attempt in 1 2 3; do
  timeout 700 docker pull --quiet "$image" && break
  echo "ludwig-serverless: attempt $attempt to pull $image failed"
  [ "$attempt" = 3 ] && exit 1
  sleep $((attempt * 2))
done

echo "ludwig-serverless: training"
docker run --rm --init --stop-timeout 60 --gpus all --shm-size 1g --env AWS_DEFAULT_REGION="$region" \
  "$image" training.launch.worker "$place"
echo "ludwig-serverless: the container ended with $?"
