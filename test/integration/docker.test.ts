// docker/ as far as it can be held to something without a container engine: hadolint, the schema of compose, and that what the files
// name is there. test/docker/build.sh builds the image for real, where there is Debian's buildah.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import packageJson from '../../package.json' with { type: 'json' };
import { REPOSITORY } from './ganglion.ts';
import { checkSchema, hadolint, withoutPip } from './python.ts';

const DOCKER = join(REPOSITORY, 'docker');
const read = (...path: string[]): string => readFileSync(join(REPOSITORY, ...path), 'utf8');
const dockerfile = read('docker', 'Dockerfile');
const compose = parse(read('docker', 'compose.yml'));

describe('Dockerfile', () => {
  it.skipIf(withoutPip)('has nothing that hadolint would have otherwise', () => {
    expect(hadolint(join(DOCKER, 'Dockerfile'))).toBe('');
  });

  it('copies what is there, and .dockerignore lets it through', () => {
    const copies = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
      ([, sources]) => sources?.split(' ') ?? [],
    );
    expect(copies).toContain('package-lock.json');
    const admitted = read('.dockerignore').split('\n');
    for (const path of copies) {
      expect(existsSync(join(REPOSITORY, path)), path).toBe(true);
      expect(admitted).toContain(`!${path}`);
    }
  });

  it('takes out of the build all that the package has at run time', () => {
    const taken = [...dockerfile.matchAll(/^COPY --from=build \/app\/(\S+) \/app\/(\S+)$/gm)].map(([, from, to]) => [
      from,
      to,
    ]);
    for (const [from, to] of taken) expect(to).toBe(from);
    const folders = taken.map(([from]) => from ?? '');
    // Of the package's files those that are no documents, nor what Prometheus and Grafana read, nor add-ons: the image compiles its own.
    const documents = /^!|\.md$|^(docs|examples|prebuilds)$|^dashboards\/(grafana|prometheus)/;
    const needed = packageJson.files.filter((file) => !documents.test(file));
    for (const file of needed)
      expect(
        folders.some((folder) => file === folder || file.startsWith(`${folder}/`)),
        file,
      ).toBe(true);
    expect(dockerfile).toContain(`ENTRYPOINT ["node", "/app/${packageJson.bin.ganglion}"]`);
  });

  it('has the GPU variant of the same base, with NVRTC, and without a CUDA toolkit, TensorFlow or a compiler', () => {
    const stages = [...dockerfile.matchAll(/^FROM \$\{(\w+)\} AS (\w+)$/gm)].map(
      ([, base, name]) => `${name} of ${base}`,
    );
    expect(stages).toEqual(['build of NODE_IMAGE', 'cpu of NODE_IMAGE', 'gpu of NODE_IMAGE', 'trainer of VARIANT']);
    const onlyForGpu = /^RUN if \[ "\$VARIANT" = gpu \]; then(?:.*\\\n)+.*fi$/m.exec(dockerfile)?.[0];
    expect(onlyForGpu).toContain('setup --cuda;'); // NVRTC lies in the cache, which is copied
    expect(dockerfile).toMatch(/^COPY --from=build \/opt\/ganglion \/opt\/ganglion$/m);
    const instructions = dockerfile.replace(/^#.*$/gm, '');
    expect(instructions).not.toMatch(/tensorflow|cuda-toolkit|nvidia\/cuda/i);
    const ofImage = instructions.slice(instructions.indexOf(' AS cpu'));
    expect(ofImage).not.toMatch(/apt-get|g\+\+|pip/);
  });

  it('is of a Node that the package supports, pinned by version, and runs as another user than root', () => {
    const [, major, minor] = /^ARG NODE_IMAGE=\S+:(\d+)\.(\d+)\.\d+-bookworm-slim$/m.exec(dockerfile) ?? [];
    const [, leastMajor, leastMinor] = /^>=(\d+)\.(\d+)$/.exec(packageJson.engines.node) ?? [];
    expect(Number(major)).toBe(Number(leastMajor));
    expect(Number(minor)).toBeGreaterThanOrEqual(Number(leastMinor));
    expect(dockerfile).toMatch(/^USER 1000:1000$/m);
    expect(dockerfile).toMatch(/^HEALTHCHECK /m);
  });
});

describe('compose', () => {
  it.skipIf(withoutPip).each(['compose.yml', 'compose.gpu.yml'])('%s is valid by its schema', (file) => {
    expect(checkSchema('vendor.compose-spec', join(DOCKER, file))).toMatch(/^ok/);
  });

  it('mounts files that are there, all dashboards among them', () => {
    const mounted: string[] = Object.values<{ volumes?: string[] }>(compose.services)
      .flatMap(({ volumes = [] }) => volumes)
      .map((volume) => volume.split(':')[0] ?? '');
    for (const path of mounted.filter((name) => name.startsWith('.'))) {
      expect(existsSync(resolve(DOCKER, path)), path).toBe(true);
    }
    for (const name of mounted.filter((name) => !name.startsWith('.'))) expect(compose.volumes).toHaveProperty(name);
    const dashboards = readdirSync(join(REPOSITORY, 'dashboards', 'grafana')).filter((name) => name.endsWith('.json'));
    expect(dashboards.length).toBeGreaterThan(0);
    for (const name of dashboards) expect(mounted).toContain(`../dashboards/grafana/${name}`);
  });

  it('builds from the repository, has a health check for everything, and is reached from this machine only', () => {
    const { trainer, ...others } = compose.services;
    expect(resolve(DOCKER, trainer.build.context)).toBe(resolve(REPOSITORY));
    expect(
      existsSync(resolve(dirname(join(DOCKER, 'compose.yml')), trainer.build.context, trainer.build.dockerfile)),
    ).toBe(true);
    for (const { healthcheck, image } of Object.values<{ healthcheck?: object; image: string }>(others)) {
      expect(healthcheck).toBeDefined();
      expect(image).toMatch(/:v?\d+\.\d+\.\d+$/);
    }
    for (const { ports } of Object.values<{ ports: string[] }>(compose.services)) {
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it('configures Prometheus and Grafana as outside of it, but for their names', () => {
    const outside = parse(read('dashboards', 'prometheus', 'prometheus.yml'));
    outside.scrape_configs[0].static_configs[0].targets = ['trainer:9464'];
    expect(parse(read('docker', 'prometheus.yml'))).toEqual(outside);
    const source = parse(read('dashboards', 'grafana', 'provisioning', 'datasources', 'ganglion.yml'));
    source.datasources[0].url = 'http://prometheus:9090';
    expect(parse(read('docker', 'grafana-datasource.yml'))).toEqual(source);
  });
});
