// Who may change the run over HTTP: every route that changes something is added here, and refuses everybody else.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { show, toPrintable } from '../../shared/printable.ts';
import { isOwnAddress, namesThisMachine } from './hosts.ts';

const BODY_LIMIT = 1024;

/** A request refused: HTTP status, and one line that says expected and got. */
export class Refusal extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(toPrintable(message));
    this.statusCode = statusCode;
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** What a proxy adds to a request that it passes on: its own address says nothing about the sender. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

/**
 * Refuses requests from those who may not change the run. A browser proves nothing: the page of another site can make it send requests from
 * this machine, and can point a name of its own at this machine. A name of --allowed-hosts proves nothing either: it is for others, too.
 */
async function checkAccess(address: string, headers: IncomingHttpHeaders, apiToken: string | null): Promise<void> {
  if (apiToken !== null) {
    const given = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (given === undefined || !timingSafeEqual(sha256(given), sha256(apiToken))) {
      throw new Refusal(401, `expected the header "Authorization: Bearer TOKEN" with the run's --api-token`);
    }
    return;
  }
  const proxy = FORWARDED.some((name) => headers[name] !== undefined);
  if (proxy || !isOwnAddress(address)) {
    const sender = proxy ? 'a proxy' : address;
    throw new Refusal(403, `expected a request from this machine, got one from ${sender}; see --api-token`);
  }
  const { host = '' } = headers;
  if (!(await namesThisMachine(host))) {
    throw new Refusal(403, `expected this machine's name or address as Host, got ${show(host)}`);
  }
}

function checkContentType(given: string | undefined): void {
  if (given?.split(';')[0]?.trim().toLowerCase() !== 'application/json') {
    throw new Refusal(415, `expected content-type application/json, got ${show(given)}`);
  }
}

/** Status and message for what went wrong: refused by us, by the server (too large a body), or by the run. */
function toAnswer(error: unknown): { statusCode: number; message: string } {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return { statusCode: 413, message: `body: expected at most ${BODY_LIMIT} bytes, got more` };
  }
  if (error instanceof GanglionError) return { statusCode: 409, message: messageOf(error) };
  const statusCode = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  return { statusCode, message: messageOf(error) };
}

/** A route that changes the run: `POST` of JSON. */
export interface ChangingRoute {
  readonly url: string;
  /** A request with this token is accepted from anywhere; without a token, only from this machine. */
  readonly apiToken: string | null;
  /** Does what is asked for. @param body text of the request @returns the answer @throws Refusal, GanglionError */
  readonly act: (body: unknown) => unknown;
}

/** Adds a route that only who may change the run can use. */
export function addChangingRoute(server: FastifyInstance, { url, apiToken, act }: ChangingRoute): void {
  server.register(async (scope) => {
    // JSON as text, so that this file reports what is wrong with it.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/json', { parseAs: 'string' }, async (_: unknown, text: unknown) => text);
    scope.setErrorHandler((error, _, reply) => {
      const { statusCode, message } = toAnswer(error);
      if (statusCode === 401) reply.header('www-authenticate', 'Bearer');
      return reply.code(statusCode).send({ error: message });
    });
    scope.route({
      method: 'POST',
      url,
      bodyLimit: BODY_LIMIT,
      // Before the body is read.
      onRequest: async ({ ip, headers }) => {
        await checkAccess(ip, headers, apiToken);
        checkContentType(headers['content-type']);
      },
      handler: async ({ body }, reply) => reply.code(202).send(act(body)),
    });
  });
}

/** Refuses a body that is not `{}`. @throws Refusal */
export function checkEmptyBody(body: unknown): void {
  let value: unknown;
  try {
    value = JSON.parse(typeof body === 'string' ? body : '');
  } catch {
    throw new Refusal(400, `body: expected {}, got ${show(body)}`);
  }
  if (!z.strictObject({}).safeParse(value).success) throw new Refusal(400, `body: expected {}, got ${show(value)}`);
}
