import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pageHtml, pagePolicy } from '../../src/admin/page/index.ts';
import { startAdmin } from '../../src/admin/server.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { groupProblems } from '../../src/operate/report/problem-groups.ts';
import type { Problem } from '../../src/operate/report/status.ts';
import { itInLongTests } from '../thorough.ts';
import { chromium, openTab, type Tab } from './browser.ts';
import { operationsOf } from './operations.ts';
import { badNight, hostile, reportOf, sink, source } from './page-report.ts';

it('may run nothing but its own script and style, and ask nobody but its own server', () => {
  expect(pagePolicy).toMatch(
    /^default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}='; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
  );
  expect(pageHtml).not.toMatch(
    /https?:\/\/(?!www\.w3\.org\/2000\/svg)|innerHTML|outerHTML|insertAdjacent|localStorage|document\.cookie|\son\w+=/,
  );
});

interface Scene extends AsyncDisposable {
  readonly tab: Tab;
  readonly token: string;
  /** What buttons asked for. */
  readonly asked: unknown[];
  /** Shows a report; resolves once the page has drawn it. */
  show: (report: object) => Promise<void>;
  /** As a tab that was opened just now, with the token in it. */
  beginAnew: () => Promise<void>;
  stopServer: () => Promise<void>;
}

async function openScene(): Promise<Scene> {
  const dataDir = await mkdtemp(join(tmpdir(), 'penstock-page-'));
  const asked: unknown[] = [];
  let report: object = reportOf([], []);
  const server = await startAdmin({
    listen: { host: '127.0.0.1', port: 0 },
    metrics: 'open',
    dataDir,
    seams: systemSeams(),
    log: silentLog(),
    operations: operationsOf({
      overview: () => Promise.resolve(report),
      act: (action) => {
        asked.push(action);
        return Promise.resolve(`sink ${action.name} tries again now`);
      },
    }),
  });
  const token = (await readFile(join(dataDir, 'admin.token'), 'utf8')).trim();
  const tab = await openTab(`${server.url}/`);
  let stopped: PromiseLike<void> | undefined;
  const stopServer = async (): Promise<void> => await (stopped ??= server[Symbol.asyncDispose]());
  return {
    tab,
    token,
    asked,
    async show(next) {
      report = next;
      await tab.evaluate('refresh()');
    },
    async beginAnew() {
      report = reportOf([], []);
      asked.length = 0;
      await tab.size(1400);
      await tab.dark(false);
      await tab.evaluate(`sessionStorage.setItem('penstock.token', '${token}')`);
      await tab.load();
      await tab.until(isShown);
    },
    stopServer,
    async [Symbol.asyncDispose]() {
      await tab[Symbol.asyncDispose]();
      await stopServer();
      await rm(dataDir, { recursive: true });
    },
  };
}

// Text on what lies behind it, by WCAG 2: the lowest contrast of all texts that are shown, and whose it is.
const lowestContrast = `(() => {
  const channels = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  let lowest = { ratio: 21, text: '' };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (node.textContent.trim() === '' || element.getClientRects().length === 0 || element.closest('script, .stale')) continue;
    const [one, other] = [luminance(channels(getComputedStyle(element).color)), luminance(behind(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < lowest.ratio) lowest = { ratio, text: node.textContent };
  }
  return lowest;
})()`;

const isShown = "document.getElementById('status')?.hidden === false && typeof lastReport === 'object'";
const isTooWide = 'document.documentElement.scrollWidth > innerWidth';
const textOf = (id: string): string => `document.getElementById('${id}').textContent`;
const buttonCalled = (name: string): string =>
  `[...document.querySelectorAll('button')].find((one) => one.getAttribute('aria-label') === '${name}')`;

describe.skipIf(chromium === undefined)(`in a browser${chromium === undefined ? ' (no Chromium here)' : ''}, the page`, () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await openScene();
  });
  beforeEach(() => scene.beginAnew());
  afterAll(() => scene[Symbol.asyncDispose]());

  it('asks for the token, keeps it for as long as the tab is open, and forgets it when told', async () => {
    const { tab, token } = scene;
    await tab.evaluate("document.getElementById('forget').click()");
    const enter = (value: string): Promise<unknown> =>
      tab.evaluate(`document.getElementById('token').value = '${value}'; document.getElementById('login').requestSubmit()`);

    await enter('wrong');
    await tab.until(`${textOf('message')}.includes('not the token')`);
    await enter(token);
    await tab.until("!document.getElementById('status').hidden");
    await tab.load();
    await tab.until(isShown);
    await tab.evaluate("document.getElementById('forget').click()");
    const kept = await tab.evaluate('[sessionStorage.length, localStorage.length, document.cookie]');
    await enter(token);
    await tab.until("!document.getElementById('status').hidden");

    expect(kept).toEqual([0, 0, '']);
    expect(await tab.evaluate('location.href')).not.toContain(token);
  });

  it('says first and largest what to do, errors of sinks before those of sources, and what vendors write is never markup', async () => {
    const { tab, show } = scene;

    await show(badNight());
    const cards = (await tab.evaluate(
      `[...document.querySelectorAll('#problems > li')].map((card) => [...card.querySelectorAll('p')].map((line) => line.textContent))`,
    )) as string[][];
    const sizes = (await tab.evaluate(
      `['.fix', '.what', 'td'].map((what) => parseFloat(getComputedStyle(document.querySelector(what)).fontSize))`,
    )) as number[];

    expect(cards[0]).toEqual([
      'errorsink splunk',
      'Enable the token in Splunk, or put another one into SPLUNK_HEC_TOKEN; delivery resumes by itself',
      'on hold for 2h: Splunk answered 403 "Token disabled" to POST /services/collector/event',
    ]);
    expect(cards.map(([where]) => where)).toEqual([
      'errorsink splunk',
      'errorsource okta-prod',
      'errorsource analyst-studio-emea',
      'warningsink archive',
      'warningsource anaconda-acme',
    ]);
    expect(sizes[0]).toBeGreaterThan(Math.max(sizes[1] ?? 0, sizes[2] ?? 0));
    expect(await tab.evaluate(textOf('headline'))).toBe('3 problems to solve');
    const body = String(await tab.evaluate('document.body.textContent'));
    expect(cards[3]?.[2]).toBe(`3 dead letters, for example 400: mapper_parsing_exception ${hostile}`);
    // Two problems, news of one, a topic, an action twice, a job and a dead letter.
    expect(body.split(hostile).length - 1).toBe(8);
    expect(await tab.evaluate('[window.hacked, document.images.length, document.scripts.length]')).toEqual([null, 0, 1]);
    expect(tab.complaints.filter((text) => !text.includes('401'))).toEqual([]);
  });

  it.each([
    { width: 390, height: 844 },
    { width: 768, height: 1024 },
    { width: 901, height: 1200 },
    { width: 1400, height: 900 },
  ])('is never wider than $width px, with 0, 1 and 200 sources and on a bad night', async ({ width, height }) => {
    const { tab, show } = scene;
    await tab.size(width, height);
    const nights = [0, 1, 200].map((many) =>
      reportOf(
        Array.from({ length: many }, (_, index) => source(`tenant-${index}-of-a-customer-with-as-long-a-name-as-may-be`)),
        [sink('splunk')],
      ),
    );
    const wide: unknown[] = [];

    for (const report of [...nights, badNight()]) {
      await show(report);
      wide.push(await tab.evaluate(isTooWide));
    }

    expect(wide).toEqual([false, false, false, false]);
    const first = await tab.evaluate("document.querySelector('#problems .fix').getBoundingClientRect().bottom");
    expect(first).toBeLessThan(height);
  });

  it.each([{ isDark: false }, { isDark: true }])('can be read, dark: $isDark', async ({ isDark }) => {
    const { tab, show } = scene;
    await tab.dark(isDark);

    await show(badNight());

    const { ratio, text } = (await tab.evaluate(lowestContrast)) as { ratio: number; text: string };
    expect([ratio >= 4.5, text]).toEqual([true, text]);
  });

  it('tells a screen reader its landmarks, tables, meters and buttons, on a phone as on a wall', async () => {
    const { tab, show } = scene;
    await show(badNight());
    const seen: unknown[] = [];

    for (const width of [390, 1400]) {
      await tab.size(width);
      const nodes = await tab.accessible();
      const named = (role: string): string[] => nodes.filter((node) => node.role === role).map(({ name }) => name);
      seen.push({
        landmarks: ['banner', 'main'].filter((role) => nodes.some((node) => node.role === role)),
        regions: named('region').slice(0, 5),
        headers: named('columnheader').includes('Collected up to') || width === 390,
        rows: named('rowheader').includes('okta-prod okta'),
        tables: named('table').length,
        meters: named('meter').filter((name) => name === 'Journal' || name === 'Collected up to of okta-prod'),
        nameless: nodes.filter(
          ({ role, name }) => ['button', 'meter', 'region', 'textbox', 'searchbox'].includes(role) && name === '',
        ),
      });
    }

    const [phone, wall] = seen;
    expect(phone).toEqual(wall);
    expect(wall).toEqual({
      landmarks: ['banner', 'main'],
      regions: ['What to do', 'Journal', 'The last day', 'Sinks', 'Sources'],
      headers: true,
      rows: true,
      tables: 9,
      meters: ['Journal', 'Collected up to of okta-prod'],
      nameless: [],
    });
  });

  it('does what its buttons say by keyboard, and says so', async () => {
    const { tab, asked, show } = scene;
    await show(badNight());

    await tab.evaluate(`${buttonCalled('Try again now: sink splunk')}.focus()`);
    await tab.press('Enter');
    await tab.until(`${textOf('said')} !== ''`);
    const outline = await tab.evaluate(
      `getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth`,
    );
    for (const name of ['Send dead letters again: sink archive', 'Poll now: source okta-prod'])
      await tab.evaluate(`act(${buttonCalled(name)}, ${buttonCalled(name)}.paths)`);

    expect(await tab.evaluate(textOf('said'))).toContain('tries again now');
    expect(outline).toBe('solid3px');
    expect(asked).toEqual([
      { kind: 'sinks', name: 'splunk', verb: 'release' },
      { kind: 'sinks', name: 'archive', verb: 'retry' },
      { kind: 'sources', name: 'okta-prod', verb: 'poll' },
    ]);
  });

  it('refreshes without taking focus or place from who reads, and tells of new problems only', async () => {
    const { tab, show } = scene;
    const night = badNight();
    await show(night);
    const button = buttonCalled('Poll now: source astra-stream');
    await tab.evaluate(`${button}.focus(); ${button}.scrollIntoView({ block: 'center' })`);
    const placed = `(${button} === document.activeElement) + ' ' + Math.round(${button}.getBoundingClientRect().top)`;
    const before = await tab.evaluate(placed);
    const problem: Problem = { level: 'error', where: 'source anaconda-acme', what: 'the disk is full', fix: 'free space' };
    const sources = [...night.status.sources].reverse();

    const problem_groups = groupProblems([problem, ...night.status.problems]);
    await show({ ...night, status: { ...night.status, sources, problem_groups } });
    await tab.evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))');

    expect(await tab.evaluate(`${button} === document.activeElement`)).toBe(true);
    expect(String(before).startsWith('true')).toBe(true);
    expect(await tab.evaluate(textOf('news'))).toBe('New error, source anaconda-acme: the disk is full. free space');
  });

  it('says how long a poll runs that takes longer than a minute', async () => {
    const { tab, show } = scene;
    const { at } = reportOf([], []).status;
    const polling = (name: string, ms: number) => source(name, { state: 'polling', polling_since: at - ms });

    await show(reportOf([polling('long', 300_000), polling('short', 30_000)], []));
    const cells = await tab.evaluate(
      "[...document.querySelectorAll('#sources tr')].map((row) => row.children[1].textContent).slice(-2)",
    );

    expect(cells).toEqual(['pollingfor 5m', 'polling']);
  });

  it('makes one problem of what many sources say alike', async () => {
    const { tab, show } = scene;
    const names = Array.from({ length: 150 }, (_, index) => `tenant-${index}`);
    const problems = names.map(
      (name, index): Problem => ({
        level: 'error',
        where: `source ${name}`,
        what: `${4 + (index % 3)} polls in a row failed: no connection to 10.0.0.${index}`,
        fix: `check the host of ${name}`,
      }),
    );

    await show(
      reportOf(
        names.map((name) => source(name, { state: 'failing' })),
        [sink('splunk')],
        { problems },
      ),
    );
    const cards = await tab.evaluate(`[...document.querySelectorAll('#problems .where')].map((one) => one.textContent)`);

    expect(cards).toEqual(['error150 sources: tenant-0, tenant-1, tenant-2 and 147 more']);
  });

  it('tells what a full disk makes of sources with it, as one thing to do', async () => {
    const { tab, show } = scene;
    const fix = 'free 7.5 MiB on the volume of data_dir';
    const paused = (name: string): Problem => ({ level: 'error', where: `source ${name}`, what: 'collection is paused', fix });
    const report = reportOf([source('a1'), source('b2')], [sink('splunk')], {
      problems: [paused('a1'), paused('b2'), { level: 'error', where: 'disk', what: 'the disk is full', fix }],
    });

    await show({
      ...report,
      room: { ...report.room, has_room: false, used_bytes: 4e6, disk_free_bytes: 5e6, disk_size_bytes: 60e6 },
    });

    const cards = await tab.evaluate(`[...document.querySelectorAll('#problems > li')].map((card) => card.textContent)`);
    expect(cards).toEqual([
      'errordiskFree 7.5 MiB on the volume of data_dirthe disk is full. 2 sources: a1, b2: collection is paused',
    ]);
    expect(await tab.evaluate(textOf('headline'))).toBe('1 problem to solve');
    expect(await tab.evaluate(textOf('journal-text'))).toBe('The disk is full: collection is paused');
  });

  it.each([
    [
      { answers: false },
      'The database does not answer: collection is paused',
      'As it was read last, before the database fell silent. It balances',
    ],
    [
      { answers: true, refusal: { what: 'the disk of the database server is full', fix: 'free space there' } },
      'The disk of the database server is full: collection is paused',
      'It balances',
    ],
  ])('says what the database lacks where nothing can be stored: %o', async (server, said, balance) => {
    const { tab, show } = scene;
    const report = reportOf([source('a1')], [sink('splunk')], { journal: { server } });

    await show({ ...report, room: { ...report.room, has_room: false, disk_free_bytes: undefined } });

    expect(await tab.evaluate(textOf('journal-text'))).toBe(said);
    expect(String(await tab.evaluate(textOf('ledger-text')))).toContain(balance);
  });

  itInLongTests('shows the sources in trouble first and stays usable with 10,000', async () => {
    const { tab, show } = scene;
    const sources = Array.from({ length: 10_000 }, (_, index) =>
      source(`tenant-${index}`, index === 9_999 ? { state: 'hold' } : {}),
    );

    await show(reportOf(sources, [sink('splunk')]));
    const first = await tab.evaluate("document.querySelector('#sources tbody th span').textContent");
    const rows = "document.querySelector('#sources tbody').rows.length";
    const shown = Number(await tab.evaluate(rows));
    await tab.evaluate(
      "document.getElementById('filter').value = 'tenant-77'; document.getElementById('filter').dispatchEvent(new Event('input'))",
    );
    const filtered = await tab.evaluate(rows);
    await tab.evaluate("document.getElementById('more').click()");

    expect([first, filtered, await tab.evaluate(rows)]).toEqual(['tenant-9999', Math.min(shown, 111), Math.min(2 * shown, 111)]);
    expect(await tab.evaluate(isTooWide)).toBe(false);
  });

  it('says that the daemon gives no answer, and keeps what it showed', async () => {
    await using own = await openScene();
    await own.beginAnew();
    const { tab, show, stopServer } = own;
    await show(badNight());

    await stopServer();
    await tab.evaluate('refresh()');

    expect(await tab.evaluate(textOf('headline'))).toBe('No answer');
    expect(await tab.evaluate(textOf('message'))).toMatch(
      /^No answer from the daemon .* What you see is from 03:12:45 .*penstock status$/,
    );
    expect(await tab.evaluate("document.querySelectorAll('#problems > li').length")).toBe(5);
  });
});
