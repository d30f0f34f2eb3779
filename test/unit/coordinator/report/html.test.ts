import { expect, it } from 'vitest';
import { Html, html, jsonForScript } from '../../../../coordinator/report/html.ts';

it('escapes every value, but not what was made by it', () => {
  const evil = `<img src=x onerror="alert('&')">`;
  const item = html`<li title="${evil}">${1.5}${null}${undefined}</li>`;
  expect(html`<ul>${[item, evil]}</ul>`.text).toBe(
    '<ul><li title="&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;">1.5</li>' +
      '&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;</ul>',
  );
  expect(html`${new Html('<b>')}`.text).toBe('<b>');
});

it('writes JSON that cannot end the script it stands in', () => {
  const value = { '</script>': '<!-- <script>', n: [1, null] };
  const { text } = jsonForScript(value);
  expect(text).not.toContain('<');
  expect(JSON.parse(text)).toEqual(value);
});
