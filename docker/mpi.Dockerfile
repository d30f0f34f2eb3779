# The trainer's image with Open MPI and an sshd for user 1000, as the MPI operators of docker/kubernetes/ need it:
#
#   docker build -f docker/Dockerfile -t ganglion .
#   docker build -f docker/mpi.Dockerfile -t ganglion:mpi --build-arg TRAINER=ganglion .
#
# Every container has the same paths, so mpirun finds itself on the others.
ARG TRAINER=ganglion:latest
# hadolint ignore=DL3006
FROM ${TRAINER}
# hadolint ignore=DL3002
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends openssh-client openssh-server python3-pip \
  && node /app/dist/coordinator/main.js setup --mpi \
  && apt-get purge -y --autoremove python3-pip \
  && rm -rf /var/lib/apt/lists/*
# The operator mounts the keys at /home/node/.ssh, owned by root: sshd is not to look at who owns them, and hosts are new with every job.
RUN printf 'Port 2222\nPidFile /home/node/sshd.pid\nHostKey /home/node/.ssh/id_rsa\nStrictModes no\n' > /home/node/.sshd_config \
  && printf 'Port 2222\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n' > /etc/ssh/ssh_config.d/ganglion.conf \
  && chown 1000:1000 /home/node/.sshd_config
USER 1000:1000
HEALTHCHECK NONE
