import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { packageRoot } from '../../src/base/package.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { loadConnector } from '../../src/connectors/index.ts';
import { normaliseKey } from '../../src/event/index.ts';
import { suggestRow } from '../../src/workbench/unknown-actions.ts';

const places = { dirs: [join(packageRoot, 'connectors')], files: systemSeams().files };
const names = ['anaconda', 'analyst-studio', 'astra-csv', 'okta'];

it.each(names)('suggests rows that load over the table of %s and find the action', async (name) => {
  const { actions } = await loadConnector(name, places);
  const novelties = ['dashboard_embed_enabled', 'Widget.Created', 'KEY_REVOKED', 'moon phase', 'null', '7'];
  const text = novelties.map((action) => suggestRow(action, normaliseKey(action), actions)).join('\n');

  const connector = await loadConnector(name, places, { actions: [{ file: 'rows.yaml', text }] });

  const added = connector.actions.filter(({ action }) => novelties.includes(action));
  expect(added.map(({ action, activity }) => [action, activity])).toEqual([
    ['dashboard_embed_enabled', expect.any(String)],
    ['Widget.Created', expect.any(String)],
    ['KEY_REVOKED', expect.any(String)],
    ['moon phase', expect.any(String)],
    ['null', expect.any(String)],
    ['7', expect.any(String)],
  ]);
});

it('proposes the activity that the wording tells', async () => {
  const { actions } = await loadConnector('astra-csv', places);

  const activityOf = (action: string): unknown =>
    (parse(suggestRow(action, action, actions)) as { ocsf: { activity_id: number } }[])[0]?.ocsf.activity_id;

  expect(['widget_created', 'widget_deleted', 'widget_renamed'].map(activityOf)).toEqual([1, 4, 3]);
});

it('proposes nothing of sign-ins where the table has no other rows', async () => {
  const { actions } = await loadConnector('entra-id-sign-ins', places);

  const [row] = parse(suggestRow('project.create', 'project_create', actions)) as { ocsf: unknown; target: unknown }[];

  expect([row?.ocsf, row?.target]).toEqual([
    { class_uid: 3004, activity_id: 1, severity_id: 2 },
    { place: 'entity', type: 'Project', type_id: 99 },
  ]);
});

it('stays one list of one row whatever a vendor calls its action', async () => {
  const { actions } = await loadConnector('okta', places);

  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }), (action) => {
      const key = normaliseKey(action) || 'unknown';
      const text = suggestRow(action.toWellFormed(), key, actions);

      expect(parse(text)).toEqual([expect.objectContaining({ action: action.toWellFormed(), key })]);
      // oxlint-disable-next-line no-control-regex
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/);
    }),
  );
});
