// POST /api/workers {"count": 3}: asks for another number of replicas.
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { show } from '../../shared/printable.ts';
import { addChangingRoute, Refusal } from './access.ts';

export interface WorkersRouteOptions {
  /** Asks for this many replicas; does not wait for them. */
  readonly resize: (count: number) => void;
  /** Maximum number of replicas that can have work. */
  readonly shards: number;
  /** A request with this token is accepted from anywhere; without a token, only from this machine. */
  readonly apiToken: string | null;
}

const PATH = '/api/workers';
/** @throws Refusal that names what is wrong */
function parseCount(body: unknown, shards: number): number {
  const range = `a whole number from 1 to ${shards}`;
  const example = `{"count": N}, N ${range}`;
  let value: unknown;
  try {
    value = JSON.parse(typeof body === 'string' ? body : '');
  } catch {
    throw new Refusal(400, `body: expected ${example}, got ${show(body)}`);
  }
  const parsed = z.strictObject({ count: z.int().min(1).max(shards) }).safeParse(value);
  if (parsed.success) return parsed.data.count;
  const [issue] = parsed.error.issues;
  if (issue?.path[0] === 'count' && typeof value === 'object' && value !== null && 'count' in value) {
    throw new Refusal(400, `count: expected ${range}, got ${show(value.count)}`);
  }
  throw new Refusal(400, `body: expected ${example}, got ${show(value)}`);
}

/** Adds the route. */
export function addWorkersRoute(server: FastifyInstance, { resize, shards, apiToken }: WorkersRouteOptions): void {
  const act = (body: unknown): { workers: number } => {
    const count = parseCount(body, shards);
    resize(count);
    return { workers: count };
  };
  addChangingRoute(server, { url: PATH, apiToken, act });
}
