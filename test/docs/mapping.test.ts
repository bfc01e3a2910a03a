import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { formats, severityNames } from '../../src/event/event.ts';
import { cefSeverity, severityOf } from '../../src/event/index.ts';
import { renderActionPage } from '../../src/workbench/action-page.ts';
import { listActions, listConnectorNames, renderSamples } from '../../src/workbench/catalog.ts';

const page = resolve(import.meta.dirname, '../../docs/mapping.md');
const { files } = systemSeams();
const connectors = await listConnectorNames(files);

function severityTable(): Promise<string> {
  const rows = [0, 1, 2, 3, 4, 5, 6, 99].map((id) => {
    const event = { severity_id: id } as Parameters<typeof cefSeverity>[0];
    return `| ${id} ${severityNames[id] ?? 'Other'} | ${id} | ${cefSeverity(event)} | ${cefSeverity(event)} | ${severityOf(event)} |`;
  });
  return Promise.resolve(
    ['| OCSF `severity_id` | ECS `event.severity` | CEF | LEEF `sev` | syslog |', '|---|---|---|---|---|', ...rows].join('\n'),
  );
}

async function formatExamples(): Promise<string> {
  const blocks = await Promise.all(
    formats.map(async (format) => {
      const request = { connector: 'anaconda', format, includeRaw: false, action: 'policy_updated', now: 1_795_000_000_000 };
      const { lines } = await renderSamples(request, files);
      const [line = ''] = lines;
      const isJson = line.startsWith('{');
      return `\`${format}\`:\n\n\`\`\`${isJson ? 'json' : 'text'}\n${line.replaceAll('\t', '<TAB>')}\n\`\`\``;
    }),
  );
  return blocks.join('\n\n');
}

const actionPage = (name: string): string => join(page, `../connectors/${name}.md`);

async function actionTables(): Promise<string> {
  const rows = connectors.map(async (name) => {
    const { actions } = await listActions(name, files);
    return `| [${name}](connectors/${name}.md) | ${actions.length} |`;
  });
  return ['| connector | actions |', '|---|---|', ...(await Promise.all(rows))].join('\n');
}

it.each([
  { name: 'severity', make: severityTable },
  { name: 'formats', make: formatExamples },
  { name: 'actions', make: actionTables },
])('has the table of $name as the code gives it (UPDATE_DOCS=1 writes it)', async ({ name, make }) => {
  const made = await make();
  const text = await readFile(page, 'utf8');
  const place = new RegExp(`(<!-- generated: ${name} -->\n)[\\s\\S]*?(<!-- end -->)`);
  const expected = text.replace(place, (_all, begin: string, end: string) => `${begin}${made}\n${end}`);
  if (process.env['UPDATE_DOCS'] === '1') await writeFile(page, expected);

  expect(place.test(text)).toBe(true);
  expect(await readFile(page, 'utf8')).toBe(expected);
});

it.each(connectors)(
  'has a page of the actions of %s as penstock actions --markdown prints it (UPDATE_DOCS=1 writes it)',
  async (name) => {
    const made = await renderActionPage(name, files);
    if (process.env['UPDATE_DOCS'] === '1') await writeFile(actionPage(name), made);

    expect(await readFile(actionPage(name), 'utf8')).toBe(made);
  },
);

it.each(connectors)('shows every action of %s in the spelling that its events carry', async (name) => {
  const text = await readFile(actionPage(name), 'utf8');
  const { lines } = await renderSamples({ connector: name, format: 'ocsf', includeRaw: false, now: 0 }, files);
  const codes = lines.map((line) => (JSON.parse(line) as { metadata: { event_code: string } }).metadata.event_code);

  expect(codes.length).toBeGreaterThan(0);
  expect(codes.filter((code) => !text.includes(`| \`${code}\` |`))).toEqual([]);
});

it('places every part of an event where the page says, in every format', async () => {
  const sample = async (format: (typeof formats)[number]): Promise<string> =>
    (
      await renderSamples(
        { connector: 'okta', format, includeRaw: false, action: 'group_user_membership_add', now: 1_795_000_000_000 },
        files,
      )
    ).lines[0] ?? '';
  const [ocsf, cim, ecs] = await Promise.all(
    (['ocsf', 'cim', 'ecs'] as const).map(async (format) => JSON.parse(await sample(format)) as Record<string, unknown>),
  );
  const [cef, leef] = await Promise.all([sample('cef'), sample('leef')]);

  const { uid } = (ocsf ?? {})['metadata'] as { uid: string };
  expect(ocsf).toMatchObject({
    class_uid: 3006,
    group: { name: 'Finance' },
    user: { uid: '00u9example2' },
    src_endpoint: { ip: '192.0.2.10' },
  });
  expect(ecs).toMatchObject({
    event: { code: 'group.user_membership.add', action: 'group_user_membership_add', outcome: 'success' },
    group: { name: 'Finance' },
    user: { id: '00u1example', target: { id: '00u9example2' } },
    source: { ip: '192.0.2.10' },
    penstock: { uid: uid },
  });
  expect(cim).toMatchObject({
    signature_id: 'group.user_membership.add',
    status: 'success',
    src: '192.0.2.10',
    ocsf: { class_uid: 3006 },
  });
  expect(cef).toMatch(
    /^CEF:0\|Okta\|Okta\|cloud\|group\.user_membership\.add\|.* suid=00u1example .*duid=00u9example2 .*cs4=Finance cs4Label=groupName/,
  );
  expect(leef.split('\t')).toEqual(expect.arrayContaining(['groupID=Finance', 'src=192.0.2.10', 'outcome=success']));
});

it('names the files that it belongs to', async () => {
  const readme = await readFile(join(page, '../../README.md'), 'utf8');

  expect(readme).toContain('docs/mapping.md');
});
