#!/bin/sh
# Lets the nodes of a job log in to one another with ssh itself, in a container that has sshd: sshd.sh FOLDER
#
# The key of the job is made for it alone, stands in FOLDER/keys, which its nodes share, and goes with it. Does
# nothing where there is no sshd. It listens on port 22, and on 23 as containers did on the service.

folder=$1
for program in /usr/sbin/sshd /usr/bin/ssh-keygen; do [ -x "$program" ] || exit 0; done
umask 077
host_key=/run/sshd/job_host_key
mkdir -p /run/sshd /etc/ssh && ssh-keygen -q -t ed25519 -N '' -f "$host_key" </dev/null || exit 0
if mkdir "$folder/keys" 2>/dev/null; then
    ssh-keygen -q -t ed25519 -N '' -C job -f "$folder/keys/id" </dev/null
fi
cat >/etc/ssh/ssh_config <<END
Host *
    IdentityFile $folder/keys/id
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
END
chmod 644 /etc/ssh/ssh_config
exec /usr/sbin/sshd -f /dev/null -p 22 -p 23 -h "$host_key" -o AuthorizedKeysFile="$folder/keys/id.pub" \
    -o StrictModes=no -o UsePAM=no -o PasswordAuthentication=no -o PermitRootLogin=yes -o PidFile=none \
    -o Subsystem="sftp internal-sftp"
