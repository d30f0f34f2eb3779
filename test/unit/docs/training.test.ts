// docs/training.md against the table of settings.
import { describe, expect, it } from 'vitest';
import { flagOf, SETTING_NAMES } from '../../../coordinator/settings/settings-table.ts';
import { tableOf } from './markdown-tables.ts';

describe('docs/training.md', () => {
  it('has every setting of a run and no other', () => {
    const documented = tableOf('docs/training.md', 'flag').map(({ flag }) => flag);
    expect(documented).toEqual(SETTING_NAMES.map(flagOf));
  });
});
