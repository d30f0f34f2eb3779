// HTML text in which every value is escaped, unless it was made here.
import { escapeControls } from '../../shared/printable.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text that is HTML already. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template; nothing is written for null and undefined. */
export type HtmlValue = string | number | Html | null | undefined | readonly HtmlValue[];

/** A template: html`<p>${anything}</p>`. Attributes with a value in them must have quotes. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(parts.map((part, i) => part + (i < values.length ? toText(values[i]) : '')).join(''));
}

function toText(value: HtmlValue): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(toText).join('');
  return escapeControls(String(value)).replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
}

/** JSON that may stand in a script element: nothing in it ends the element. */
export function jsonForScript(value: unknown): Html {
  return new Html(JSON.stringify(value).replaceAll('<', '\\u003c'));
}
