// @ts-check
// What is written on the page beside samples and curves: the head, nodes and replicas, the timeline, the config.
import { byId, clock, duration, element, short, whole } from './format.js';

/** @import { LiveEvent, LiveNode, LiveReplica, LiveRunInfo, LiveStatus } from '../../shared/live-protocol.ts' */

/** Events on the page. */
const MOST_EVENTS = 300;
/** @type {Record<LiveEvent['kind'], string>} */
const KINDS = {
  start: 'start',
  resume: 'resume',
  checkpoint: 'checkpoint',
  lost: 'lost',
  restarted: 'restarted',
  straggler: 'straggler',
  skipped: 'skipped',
  resize: 'resize',
  page: 'page',
  stop: 'stop',
  end: 'end',
};

/** Columns of the tables; a narrow page writes their names beside the values. */
const OF_REPLICA = ['Replica', 'State', 'Shards', 'Shard time', 'Restarts', 'Kind', 'Process'];
const OF_NODE = [
  'Node',
  'State',
  'Replicas',
  'Shards',
  'Shard time',
  'Busy',
  'Waited',
  'Restarts',
  'Stragglers',
  'Host',
  'Process',
];
/** Those that hold texts. */
const TEXTS = ['State', 'Kind', 'Host'];

/** @param {string} id @param {string} text */
function write(id, text) {
  const target = byId(id, HTMLElement);
  if (target.textContent !== text) target.textContent = text;
}

/** @param {LiveStatus} status @param {LiveRunInfo | undefined} run */
export function showStatus(status, run) {
  const { state, healthy, step, steps, epoch, imagesPerSecond, restarts, replicas, nodes } = status;
  const badge = byId('state', HTMLElement);
  const shown = healthy ? state : 'stalled';
  badge.dataset.state = shown;
  write('state', shown);
  const progress = byId('progress', HTMLProgressElement);
  progress.max = steps ?? Math.max(1, step);
  progress.value = step;
  write('step', steps === null ? whole(step) : `${whole(step)} / ${whole(steps)}`);
  const epochs = run?.config.epochs;
  write('epoch', typeof epochs === 'number' ? `${whole(epoch + 1)} of ${whole(epochs)}` : whole(epoch + 1));
  write('speed', imagesPerSecond === 0 ? '–' : whole(imagesPerSecond));
  const seconds = ((steps ?? step) - step) * ((run?.batch ?? 0) / imagesPerSecond);
  write('left', state === 'training' && imagesPerSecond > 0 ? duration(seconds) : '–');
  write('restarts', whole(restarts));
  byId('nodes-section', HTMLElement).hidden = nodes.length === 0;
  showRows('nodes', OF_NODE, nodes.map(cellsOfNode));
  showRows('replicas', OF_REPLICA, replicas.map(cellsOfReplica));
}

/** @param {LiveReplica} replica */
function cellsOfReplica({ node, id, state, shards, shardSeconds, restarts, kind, pid }) {
  return [
    node === undefined ? String(id) : `${id} on node ${node}`,
    // A replica goes from idle to busy a hundred times a second.
    state === 'idle' || state === 'busy' ? 'working' : state,
    whole(shards),
    toMilliseconds(shardSeconds),
    whole(restarts),
    kind ?? '–',
    pid === null ? '–' : String(pid),
  ];
}

/** @param {LiveNode} node */
function cellsOfNode({ node, state, replicas, shards, shardSeconds, busySeconds, ...more }) {
  const { reduceSeconds, restarts, stragglers, host, pid } = more;
  return [
    String(node),
    state,
    whole(replicas),
    whole(shards),
    toMilliseconds(shardSeconds),
    duration(busySeconds),
    duration(reduceSeconds),
    whole(restarts),
    whole(stragglers),
    host ?? '–',
    pid === null ? '–' : String(pid),
  ];
}

/** @param {number | null} seconds */
function toMilliseconds(seconds) {
  return seconds === null ? '–' : `${short(seconds * 1000)} ms`;
}

/**
 * Rows stay where they are, so that a reader's place does.
 *
 * @param {string} id of the table's body
 * @param {readonly string[]} columns
 * @param {readonly (readonly string[])[]} rows
 */
function showRows(id, columns, rows) {
  const body = byId(id, HTMLElement);
  while (body.children.length > rows.length) body.lastElementChild?.remove();
  for (const [i, texts] of rows.entries()) {
    const row = body.children[i] ?? body.appendChild(document.createElement('tr'));
    for (const [column, text] of texts.entries()) {
      const name = columns[column] ?? '';
      const cell = row.children[column] ?? row.appendChild(document.createElement(column === 0 ? 'th' : 'td'));
      cell.setAttribute('data-name', name);
      if (column === 0) cell.setAttribute('scope', 'row');
      else cell.className = name === 'State' ? text : TEXTS.includes(name) ? '' : 'number';
      if (cell.textContent !== text) cell.textContent = text;
    }
  }
}

/** @param {LiveRunInfo} run */
export function showRun({ name, path, config, summary, environment, actions, events }) {
  document.title = `${name} · Ganglion`;
  write('name', name);
  byId('name', HTMLElement).title = path;
  const list = byId('config', HTMLElement);
  const more = Object.entries({ ...summary, ...environment }).filter(([key]) => !(key in config));
  list.replaceChildren();
  for (const [key, value] of [...Object.entries(config), ...more]) {
    const text = value === null ? '–' : typeof value === 'object' ? JSON.stringify(value) : String(value);
    list.append(element('dt', key), element('dd', text));
  }
  byId('control', HTMLElement).hidden = actions === null;
  byId('replica-table', HTMLElement).hidden = actions === null;
  byId('no-replicas', HTMLElement).hidden = actions !== null;
  byId('timeline', HTMLElement).replaceChildren();
  addEvents(events);
}

/** Newest first. @param {readonly LiveEvent[]} events */
export function addEvents(events) {
  const list = byId('timeline', HTMLElement);
  for (const { time, step, kind, text } of events.slice(-MOST_EVENTS)) {
    const item = document.createElement('li');
    const when = element('time', time === 0 ? '' : clock(time));
    if (time > 0) when.dateTime = new Date(time).toISOString();
    when.title = time > 0 ? new Date(time).toLocaleString('en') : '';
    item.append(when, element('span', KINDS[kind], `kind ${kind}`), element('span', text, 'text'));
    item.title = `step ${whole(step)}`;
    list.prepend(item);
  }
  while (list.children.length > MOST_EVENTS) list.lastElementChild?.remove();
}
