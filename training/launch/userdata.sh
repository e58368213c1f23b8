#!/bin/bash
# Set two deadlines first. Whatever happens later, the instance powers off, and EC2 then terminates it.

# 1. A service that survives a reboot. It powers off at the deadline, and after any reboot,
#    because no training survives a reboot.
program=/usr/local/sbin/ludwig-serverless-deadline
boot=$(cat /proc/sys/kernel/random/boot_id)
cat > "$program" <<END
#!/bin/bash
while [ "\$(date +%s)" -lt @DEADLINE@ ] && [ "\$(cat /proc/sys/kernel/random/boot_id)" = "$boot" ]; do sleep 5; done
systemctl poweroff --force --force
END
cat > /etc/systemd/system/ludwig-serverless-deadline.service <<END
[Unit]
Description=Power off at the deadline of a training, and after a reboot

[Service]
ExecStart=/bin/bash $program
Restart=always
OOMScoreAdjust=-1000

[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload && systemctl enable --now ludwig-serverless-deadline.service || first=missing

# 2. A shutdown a few minutes earlier, which lets the training upload its last checkpoint.
shutdown -h +@MINUTES@ || second=missing

trap 'shutdown -h now || systemctl poweroff --force --force' EXIT
if [ -n "${first:-}" ] && [ -n "${second:-}" ]; then
  echo "ludwig-serverless: could not set a deadline, so the job does not start"
  exit 1
fi

set -u -o pipefail
image=@IMAGE@
location=@LOCATION@
region=@REGION@
registry=${image%%/*}

# Private images in ECR need the AWS CLI. The Deep Learning AMI has it; other AMIs may not.
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
  "$image" training.launch.worker "$location"
echo "ludwig-serverless: the container ended with $?"
