// What nodes tell each other beside their sums: before training, and at its end.
import { GanglionError, messageOf, type PlainError } from '../../shared/error.ts';
import type { Communicator } from '../training/communicator.ts';
import { checkQuorum, EndedElsewhere } from '../training/exchange.ts';

const LOST = 'a node was lost before training';

/**
 * Gives every node what all of them tell.
 *
 * @param own a value that JSON keeps
 * @returns in the order of the members
 * @throws GanglionError `nodes` when too few are left
 */
export async function share<Value>(nodes: Communicator, own: Value): Promise<readonly Value[]> {
  if (nodes.members.length === 1) return [own];
  const bytes = new TextEncoder().encode(JSON.stringify(own));
  for (;;) {
    const told: Uint8Array[] = [];
    for (const from of nodes.members) {
      const message = await broadcastFrom(nodes, from, bytes);
      if (message) told.push(message);
      else break;
    }
    const isComplete = told.length === nodes.members.length;
    if (isComplete && (await nodes.agree())) return told.map((text) => JSON.parse(new TextDecoder().decode(text)));
    await regroup(nodes);
  }
}

/**
 * Does something on every node, after which all go on, or none.
 *
 * @returns what it gave here
 * @throws GanglionError with the error of the first node where it failed
 */
export async function together<Result>(nodes: Communicator, action: () => Promise<Result>): Promise<Result> {
  if (nodes.members.length === 1) return await action();
  const outcome = await action().then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );
  const thrown = 'error' in outcome ? outcome.error : undefined;
  if (thrown !== undefined && !canBeTold(thrown)) throw thrown;
  const errors = await share(nodes, toPlain(thrown));
  const failed = errors.findIndex((error) => error !== null);
  const first = errors[failed];
  if (first && failed === 0)
    throw nodes.node === nodes.members[0] ? thrown : new EndedElsewhere(first.code, first.message);
  if (first) refuse(nodes, first.code, `node ${nodes.members[failed]}: ${first.message}`);
  if (thrown instanceof GanglionError) refuse(nodes, thrown.code, thrown.message); // the node that knows more is lost
  if ('error' in outcome) throw outcome.error;
  return outcome.result;
}

/** All nodes end for the same reason, which the first one says. @throws GanglionError */
export function refuse(nodes: Communicator, code: GanglionError['code'], message: string): never {
  throw nodes.node === nodes.members[0] ? new GanglionError(code, message) : new EndedElsewhere(code, message);
}

/**
 * Sends bytes from the first node to all others.
 *
 * @param bytes of the first node
 * @throws GanglionError `nodes` when it is lost
 */
export async function sendToAll(nodes: Communicator, bytes: Uint8Array): Promise<Uint8Array> {
  const [first = 0] = nodes.members;
  const sent = await broadcastFrom(nodes, first, bytes);
  if (sent) return sent;
  throw new GanglionError('nodes', LOST);
}

/**
 * Before training nobody can go on for the first node: it alone knows what is trained.
 *
 * @param first its number
 * @throws GanglionError `nodes` when it is lost
 */
export function checkFirst(nodes: Communicator, first: number | undefined): void {
  if (nodes.members[0] !== first) refuse(nodes, 'nodes', LOST);
}

/** @returns undefined when a node was lost */
async function broadcastFrom(nodes: Communicator, from: number, own: Uint8Array): Promise<Uint8Array | undefined> {
  const isOwn = nodes.node === from;
  const length = new Uint32Array([own.length]);
  if (!(await nodes.broadcast(new Uint8Array(length.buffer), from))) return undefined;
  const bytes = isOwn ? own : new Uint8Array(length[0] ?? 0);
  return (await nodes.broadcast(bytes, from)) ? bytes : undefined;
}

async function regroup(nodes: Communicator): Promise<void> {
  const before = nodes.members;
  await nodes.recover(0);
  checkQuorum(before, nodes.members);
}

/** A group that is broken tells nothing; what is no mistake of anybody is a broken invariant, and crashes. */
function canBeTold(error: unknown): error is GanglionError {
  return error instanceof GanglionError && error.code !== 'nodes';
}

function toPlain(error: unknown): Pick<PlainError, 'code' | 'message'> | null {
  const isOwn = error instanceof GanglionError && !(error instanceof EndedElsewhere);
  return isOwn ? { code: error.code, message: messageOf(error) } : null;
}
