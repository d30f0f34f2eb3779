// The live page's routes: its files, the run, its curves and samples, a stream of events, and two requests that change the run.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { EventStream } from '../live/event-stream.ts';
import type { LiveRun } from '../live/live-run.ts';
import { ANIMATION, listSamples, REAL_SAMPLE, SAMPLE_NAME } from '../run-folder/pictures.ts';
import { addChangingRoute, checkEmptyBody, Refusal } from './access.ts';
import { PacedAnswers } from './paced-answers.ts';
import { readShared } from './shared-files.ts';

export interface LiveRoutesOptions {
  readonly run: LiveRun;
  /** Folder of the page's files, with a slash at its end. */
  readonly page: URL;
  /** What the page's buttons do; without it, the page is read-only. */
  readonly actions?: LiveActions | undefined;
}

export interface LiveActions {
  readonly apiToken: string | null;
  /** Requests a checkpoint after the current step. @throws GanglionError when the run has not begun, or is ending */
  readonly checkpoint: () => void;
  /** Requests the end of the run after the current step. */
  readonly stop: () => void;
}

const JAVASCRIPT = 'text/javascript; charset=utf-8';
const CSS = 'text/css; charset=utf-8';
const uPlotFile = (name: string): URL =>
  pathToFileURL(join(createRequire(import.meta.url).resolve('uplot/package.json'), '..', 'dist', name));
/** Modules of the page: nothing else of its folder is served. */
const MODULES = [
  'api',
  'app',
  'charts',
  'controls',
  'curves',
  'evaluation',
  'format',
  'lend',
  'newest',
  'pictures',
  'tables',
  'view',
];

/** The page may load from here only, and no other site may show it in a frame. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** Larger files than an animation of samples are not served. */
const MOST_FILE_BYTES = 2 ** 26;
/** Points of a curve, where the page does not say, and at most. */
const POINTS = 1000;
const MOST_POINTS = 2000;

const step = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const historyQuery = z.object({
  from: step.default(0),
  to: step.default(Number.MAX_SAFE_INTEGER),
  points: z.coerce.number().int().min(4).max(MOST_POINTS).default(POINTS),
});

/** Adds the routes. The returned function sends every open page what is new and closes its stream. */
export function addLiveRoutes(server: FastifyInstance, options: LiveRoutesOptions): () => Promise<void> {
  const { run, page, actions } = options;
  const stream = new EventStream(run);
  const answers = new PacedAnswers();
  /** Streams that were asked for: each has a turn of its own. */
  let streams = 0;
  server.register(async (scope) => {
    scope.addHook('onRequest', async (_, reply) => {
      reply.headers(SECURITY_HEADERS).header('cache-control', 'no-store');
    });
    addFiles(scope, page);
    addData(scope, run, answers);
    // A HEAD would have no end.
    scope.get('/api/events', { exposeHeadRoute: false }, async (request, reply) => {
      const { headers, query, ip } = request;
      const { last } = query as { last?: unknown };
      const seen = headers['last-event-id'] ?? last;
      streams += 1;
      await answers.get(`stream ${streams}`, () => {
        if (reply.raw.destroyed) return;
        if (!stream.hasRoomFor(ip)) throw new Refusal(503, 'too many pages are open');
        reply.hijack();
        reply.raw.writeHead(200, {
          ...SECURITY_HEADERS,
          'content-type': 'text/event-stream',
          'cache-control': 'no-store',
          'x-accel-buffering': 'no',
        });
        stream.add(reply.raw, { address: ip, id: typeof seen === 'string' ? seen : undefined });
      });
      return reply;
    });
    if (actions) addActions(scope, actions);
  });
  return () => stream.close();
}

function addFiles(scope: FastifyInstance, page: URL): void {
  const files: [path: string, file: URL, type: string][] = [
    ['/', new URL('index.html', page), 'text/html; charset=utf-8'],
    ['/live/live.css', new URL('live.css', page), CSS],
    ['/live/icon.svg', new URL('icon.svg', page), 'image/svg+xml'],
    ['/live/uplot.js', uPlotFile('uPlot.esm.js'), JAVASCRIPT],
    ['/live/uplot.css', uPlotFile('uPlot.min.css'), CSS],
    ...MODULES.map((name): [string, URL, string] => [`/live/${name}.js`, new URL(`${name}.js`, page), JAVASCRIPT]),
  ];
  for (const [path, file, type] of files) scope.get(path, (_, reply) => sendFile(reply, fileURLToPath(file), type));
}

function addData(scope: FastifyInstance, run: LiveRun, answers: PacedAnswers): void {
  scope.get('/api/run', () => answers.get('run', () => run.info));
  scope.get('/api/history', async ({ query }, reply) => {
    const { success, data } = historyQuery.safeParse(query);
    if (success) return answers.get(JSON.stringify(data), () => run.read(data));
    const expected = `expected from and to as steps, and points from 4 to ${MOST_POINTS}`;
    return reply.code(400).send({ error: expected });
  });
  scope.get('/api/samples', () =>
    answers.get('samples', async () => ({ session: run.session, ...(await listSamples(run.samples)) })),
  );
  scope.get('/api/evaluations', () => answers.get('evaluations', () => run.evaluations));
  scope.get('/samples/:name', (request, reply) => {
    const { name = '' } = request.params as { name?: string };
    const isAnimation = name === ANIMATION;
    if (!isAnimation && name !== REAL_SAMPLE && !SAMPLE_NAME.test(name))
      return reply.code(404).send({ error: 'there is no such file' });
    // Its address has the session in it.
    reply.header('cache-control', 'private, max-age=86400, immutable');
    return sendFile(reply, join(run.samples, name), isAnimation ? 'image/gif' : 'image/png');
  });
}

function addActions(scope: FastifyInstance, { apiToken, checkpoint, stop }: LiveActions): void {
  addChangingRoute(scope, {
    url: '/api/checkpoint',
    apiToken,
    act(body) {
      checkEmptyBody(body);
      checkpoint();
      return { checkpoint: 'after this step' };
    },
  });
  addChangingRoute(scope, {
    url: '/api/stop',
    apiToken,
    act(body) {
      checkEmptyBody(body);
      stop();
      return { stop: 'after this step' };
    },
  });
}

async function sendFile(reply: FastifyReply, file: string, type: string): Promise<FastifyReply> {
  const bytes = await readShared(file, MOST_FILE_BYTES);
  return bytes ? reply.type(type).send(bytes) : reply.code(404).send({ error: 'there is no such file' });
}
