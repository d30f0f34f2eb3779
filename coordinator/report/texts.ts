// Numbers and times as a report writes them.
import { show } from '../../shared/printable.ts';
import { type Html, html } from './html.ts';

/** Of a figure that was measured. */
const DIGITS = 6;

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

export function duration(seconds: number): string {
  const left = Math.round(seconds);
  const [hours, minutes] = [Math.floor(left / 3600), Math.floor((left % 3600) / 60)];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${left % 60} s` : `${seconds < 10 ? seconds.toFixed(1) : left} s`;
}

/** @param ms since 1970 */
export function timeOf(ms: number): Html {
  const text = new Date(ms).toISOString();
  return html`<time datetime="${text}">${text.slice(0, 19).replace('T', ' ')}</time>`;
}

export function textOf(value: unknown): string {
  return typeof value === 'object' ? show(value) : String(value);
}

/** Rounds measured figures to significant digits. */
export function rounded(values: Readonly<Record<string, unknown>> | null): Readonly<Record<string, unknown>> | null {
  const entries = Object.entries(values ?? {}).map(([name, value]) => {
    return [
      name,
      typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(DIGITS)) : value,
    ] as const;
  });
  return values && Object.fromEntries(entries);
}
