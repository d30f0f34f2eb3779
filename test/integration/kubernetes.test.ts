// docker/kubernetes/ as far as it goes without a cluster: every field is one of the operators' published definitions, and what is started is
// a command line of this version. The schemas are those of MPIJob v2beta1 (kubeflow/mpi-operator 0.8) and of TrainJob and TrainingRuntime
// v1alpha1 (kubeflow/trainer 2.3), written down as far as fields are used; a field that is not here is a mistake, or is to be looked up.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { REPOSITORY, scratchFolder, succeed } from './ganglion.ts';
import { hadolint, withoutPip } from './python.ts';

const scratch = scratchFolder('kubernetes');
const name = z.string().regex(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
const metadata = z.strictObject({ name, labels: z.record(z.string(), z.string()).optional() });
const limits = z.strictObject({
  cpu: z.string().regex(/^\d+m?$/),
  memory: z.string().regex(/^\d+[MG]i$/),
});
const securityContext = z.strictObject({ runAsUser: z.int().optional(), fsGroup: z.int().optional() });

const container = z.strictObject({
  name,
  image: z.literal('ganglion:mpi'),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  securityContext,
  ports: z.array(z.strictObject({ name, containerPort: z.int() })).optional(),
  readinessProbe: z
    .strictObject({ tcpSocket: z.strictObject({ port: z.int() }), initialDelaySeconds: z.int() })
    .optional(),
  resources: z.strictObject({ limits }).optional(),
  volumeMounts: z.array(z.strictObject({ name, mountPath: z.string().startsWith('/') })).optional(),
});
const claim = z.strictObject({ claimName: name });
const podSpec = z.strictObject({
  containers: z.array(container).length(1),
  terminationGracePeriodSeconds: z.int().min(60),
  restartPolicy: z.enum(['Always', 'OnFailure', 'Never']).optional(),
  securityContext: securityContext.optional(),
  volumes: z.array(z.strictObject({ name, persistentVolumeClaim: claim })).optional(),
});

const replicaSpec = z.strictObject({
  replicas: z.int(),
  restartPolicy: z.enum(['Always', 'OnFailure', 'Never', 'ExitCode']).optional(),
  template: z.strictObject({ spec: podSpec }),
});
const MpiJob = z.strictObject({
  apiVersion: z.literal('kubeflow.org/v2beta1'),
  kind: z.literal('MPIJob'),
  metadata,
  spec: z.strictObject({
    slotsPerWorker: z.int(),
    mpiImplementation: z.enum(['OpenMPI', 'Intel', 'MPICH']),
    sshAuthMountPath: z.string(),
    launcherCreationPolicy: z.enum(['AtStartup', 'WaitForWorkersReady']),
    runPolicy: z.strictObject({ cleanPodPolicy: z.enum(['None', 'Running', 'All']), backoffLimit: z.int() }),
    mpiReplicaSpecs: z.strictObject({ Launcher: replicaSpec, Worker: replicaSpec }),
  }),
});

const replicatedJob = z.strictObject({
  name: z.enum(['node', 'launcher']),
  dependsOn: z.array(z.strictObject({ name, status: z.enum(['Ready', 'Complete']) })).optional(),
  template: z.strictObject({
    metadata: z.strictObject({ labels: z.record(z.string(), z.string()) }).optional(),
    spec: z.strictObject({ backoffLimit: z.int().optional(), template: z.strictObject({ spec: podSpec }) }),
  }),
});
const TrainingRuntime = z.strictObject({
  apiVersion: z.literal('trainer.kubeflow.org/v1alpha1'),
  kind: z.literal('TrainingRuntime'),
  metadata,
  spec: z.strictObject({
    mlPolicy: z.strictObject({
      numNodes: z.int(),
      mpi: z.strictObject({
        numProcPerNode: z.int().min(1),
        mpiImplementation: z.literal('OpenMPI'),
        sshAuthMountPath: z.string(),
        runLauncherAsNode: z.boolean(),
      }),
    }),
    template: z.strictObject({
      spec: z.strictObject({
        network: z.strictObject({ publishNotReadyAddresses: z.boolean() }),
        successPolicy: z.strictObject({ operator: z.enum(['All', 'Any']), targetReplicatedJobs: z.array(name) }),
        replicatedJobs: z.array(replicatedJob),
      }),
    }),
  }),
});
const TrainJob = z.strictObject({
  apiVersion: z.literal('trainer.kubeflow.org/v1alpha1'),
  kind: z.literal('TrainJob'),
  metadata,
  spec: z.strictObject({
    runtimeRef: z.strictObject({
      apiGroup: z.literal('trainer.kubeflow.org'),
      kind: z.literal('TrainingRuntime'),
      name,
    }),
    trainer: z.strictObject({
      image: z.string(),
      numNodes: z.int(),
      command: z.array(z.string()),
      args: z.array(z.string()),
      resourcesPerNode: z.strictObject({ limits }),
    }),
  }),
});

const documents = (file: string): unknown[] =>
  parseAllDocuments(readFileSync(join(REPOSITORY, 'docker/kubernetes', file), 'utf8')).map((each) => each.toJS());

/** What a launcher starts is `launch -n N train ...`. @returns N, and the settings of that training */
async function launched(
  command: readonly string[] = [],
  [launch, n, nodes, ...train]: readonly string[] = [],
): Promise<{ nodes: number; config: Record<string, unknown> }> {
  expect([...command, launch, n]).toEqual(['node', '/app/dist/coordinator/main.js', 'launch', '-n']);
  const config = JSON.parse(await succeed([...train, '--dry-run'], { cwd: scratch() }));
  return { nodes: Number(nodes), config };
}

it('MPIJob: as many nodes as workers, one command that begins the run or goes on with it', async () => {
  const [document, ...others] = documents('mpijob.yaml');
  expect(others).toEqual([]);
  const { spec } = MpiJob.parse(document);
  const { Launcher, Worker } = spec.mpiReplicaSpecs;
  const [launcher] = Launcher.template.spec.containers;
  const { nodes, config } = await launched(launcher?.command, launcher?.args);
  expect(nodes).toBe(Worker.replicas * spec.slotsPerWorker);
  expect(config).toMatchObject({ run: '/data/runs/a', workers: 4 });
  expect(launcher?.args).toContain('auto');
  expect(Launcher.restartPolicy).toBe('OnFailure'); // 75 goes on
  const [worker] = Worker.template.spec.containers;
  expect(worker?.volumeMounts?.map((mount) => mount.name)).toEqual(
    Worker.template.spec.volumes?.map((each) => each.name),
  );
});

it('TrainJob: the runtime that it names, and as many nodes as it asks for', async () => {
  const [runtime, job, ...others] = documents('trainjob.yaml');
  expect(others).toEqual([]);
  const { metadata: made, spec } = TrainingRuntime.parse(runtime);
  const { runtimeRef, trainer } = TrainJob.parse(job).spec;
  expect(runtimeRef.name).toBe(made.name);
  const { nodes, config } = await launched(trainer.command, trainer.args);
  expect(nodes).toBe(trainer.numNodes * spec.mlPolicy.mpi.numProcPerNode);
  expect(config).toMatchObject({ run: '/data/runs/a', workers: 4 });
  expect(spec.template.spec.replicatedJobs.map((each) => each.name)).toEqual(['node', 'launcher']);
});

describe('the image', () => {
  const dockerfile = readFileSync(join(REPOSITORY, 'docker/mpi.Dockerfile'), 'utf8');

  it.skipIf(withoutPip)('has nothing that hadolint would have otherwise', () => {
    expect(hadolint(join(REPOSITORY, 'docker/mpi.Dockerfile'))).toBe('');
  });

  it("has sshd's files and port where the jobs look for them", () => {
    const text = ['mpijob.yaml', 'trainjob.yaml'].flatMap(documents);
    expect(dockerfile).toContain('> /home/node/.sshd_config');
    const written = text.map((document) => JSON.stringify(document));
    const withSshd = written.filter((document) => document.includes('/usr/sbin/sshd'));
    expect(withSshd).toHaveLength(2);
    for (const document of withSshd) expect(document).toContain('"args":["-De","-f","/home/node/.sshd_config"]');
    const ports = written.flatMap((document) => [...document.matchAll(/"port":(\d+)/g)]);
    expect(ports.length).toBeGreaterThan(0);
    for (const [, port] of ports) expect(dockerfile).toContain(`Port ${port}\\n`);
    expect(dockerfile).toMatch(/^USER 1000:1000$/m);
  });
});
