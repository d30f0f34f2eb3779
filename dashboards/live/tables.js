// @ts-check
// What is written on the page beside samples and curves: the head, the replicas, the timeline, the config.
import { byId, clock, duration, element, short, whole } from './format.js';

/** @import { LiveEvent, LiveReplica, LiveRunInfo, LiveStatus } from '../../shared/live-protocol.ts' */

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
  stop: 'stop',
  end: 'end',
};

/** Of the table of replicas; a narrow page writes them beside the values. */
const COLUMNS = ['Replica', 'State', 'Shards', 'Shard time', 'Restarts', 'Kind', 'Process'];

/** @param {string} id @param {string} text */
function write(id, text) {
  const target = byId(id, HTMLElement);
  if (target.textContent !== text) target.textContent = text;
}

/** @param {LiveStatus} status @param {LiveRunInfo | undefined} run */
export function showStatus(status, run) {
  const { state, healthy, step, steps, epoch, imagesPerSecond, restarts, replicas } = status;
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
  showReplicas(replicas);
}

/** Rows stay where they are, so that a reader's place does. @param {readonly LiveReplica[]} replicas */
function showReplicas(replicas) {
  const body = byId('replicas', HTMLElement);
  while (body.children.length > replicas.length) body.lastElementChild?.remove();
  for (const [i, replica] of replicas.entries()) {
    const { id, state, shards, shardSeconds, restarts, kind, pid } = replica;
    // A replica goes from idle to busy a hundred times a second.
    const texts = [
      String(id),
      state === 'idle' || state === 'busy' ? 'working' : state,
      whole(shards),
      shardSeconds === null ? '–' : `${short(shardSeconds * 1000)} ms`,
      whole(restarts),
      kind ?? '–',
      pid === null ? '–' : String(pid),
    ];
    const row = body.children[i] ?? body.appendChild(document.createElement('tr'));
    for (const [column, text] of texts.entries()) {
      const cell = row.children[column] ?? row.appendChild(document.createElement(column === 0 ? 'th' : 'td'));
      cell.setAttribute('data-name', COLUMNS[column] ?? '');
      if (column === 0) cell.setAttribute('scope', 'row');
      else cell.className = [2, 3, 4, 6].includes(column) ? 'number' : column === 1 ? state : '';
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
