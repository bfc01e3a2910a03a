import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const github = resolve(import.meta.dirname, '../../.github');

type Permissions = Readonly<Record<string, 'read' | 'write' | 'none'>> | string | undefined;

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly permissions?: Permissions;
  readonly uses?: string;
  readonly 'timeout-minutes'?: number;
  readonly steps?: readonly Step[];
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Permissions;
  readonly jobs: Readonly<Record<string, Job>>;
}

const files = readdirSync(join(github, 'workflows')).sort();
const textOf = (file: string): string => readFileSync(join(github, 'workflows', file), 'utf8');
const workflows = files.map((file) => [file, parse(textOf(file)) as Workflow] as const);
const jobs = workflows.flatMap(([file, workflow]) =>
  Object.entries(workflow.jobs).map(([name, job]) => ({ at: `${file}: ${name}`, job })),
);
const steps = jobs.flatMap(({ at, job }) => (job.steps ?? []).map((step) => ({ at, step })));

it('has a gate, a release, code scanning and requests for newer dependencies', () => {
  const updates = parse(readFileSync(join(github, 'dependabot.yml'), 'utf8')) as {
    readonly updates: readonly { readonly 'package-ecosystem': string }[];
  };

  expect(files).toEqual(expect.arrayContaining(['check.yml', 'codeql.yml', 'release.yml']));
  expect(updates.updates.map((update) => update['package-ecosystem'])).toEqual(['npm', 'github-actions', 'docker']);
});

describe('every workflow', () => {
  it('uses actions by the 40 digits of a commit, with the version for readers beside it', () => {
    const lines = files.flatMap((file) =>
      textOf(file)
        .split('\n')
        .filter((line) => /\buses:/.test(line)),
    );
    const wrong = lines.filter(
      (line) => !/^\s+(?:- )?uses: [\w.-]+\/[\w.-]+(?:\/[\w./-]+)?@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line),
    );

    expect(wrong).toEqual([]);
    expect(lines).toHaveLength(
      steps.filter(({ step }) => step.uses !== undefined).length + jobs.filter(({ job }) => job.uses).length,
    );
  });

  it('uses one commit of each action', () => {
    const commits = new Map<string, Set<string>>();
    for (const { step } of steps) {
      const [name = '', commit = ''] = (step.uses ?? '').split('@');
      const repository = name.split('/').slice(0, 2).join('/');
      commits.set(repository, new Set([...(commits.get(repository) ?? []), commit]));
    }

    expect([...commits].filter(([, used]) => used.size > 1)).toEqual([]);
  });

  it('may read the repository and nothing else, unless a job says what it needs', () => {
    expect(workflows.map(([file, { permissions }]) => [file, permissions])).toEqual(
      files.map((file) => [file, { contents: 'read' }]),
    );
  });

  it('writes only from the jobs that release and that hand in findings', () => {
    const writing = jobs.flatMap(({ at, job }) =>
      Object.entries(typeof job.permissions === 'object' ? job.permissions : {})
        .filter(([, level]) => level === 'write')
        .map(([what]) => `${at}: ${what}`),
    );

    expect(jobs.filter(({ job }) => typeof job.permissions === 'string')).toEqual([]);
    expect(writing).toEqual([
      'codeql.yml: analyze: security-events',
      'release.yml: package: id-token',
      'release.yml: part: packages',
      'release.yml: image: packages',
      'release.yml: image: id-token',
      'release.yml: image: attestations',
    ]);
  });

  it('runs nothing of a fork with more than a fork may', () => {
    expect(workflows.filter(([, { on }]) => 'pull_request_target' in on || 'workflow_run' in on)).toEqual([]);
  });

  it('keeps its token out of the checkout, and what others wrote out of its scripts', () => {
    const checkouts = steps.filter(({ step }) => step.uses?.startsWith('actions/checkout@'));

    expect(checkouts.filter(({ step }) => step.with?.['persist-credentials'] !== false)).toEqual([]);
    expect(steps.filter(({ step }) => step.run?.includes('${{'))).toEqual([]);
  });

  it('ends by itself', () => {
    expect(jobs.filter(({ job }) => job['timeout-minutes'] === undefined).map(({ at }) => at)).toEqual([]);
  });
});

it('publishes the package with provenance, after the gate, and the image after the package', () => {
  const release = Object.fromEntries(workflows)['release.yml'];
  const runs = release?.jobs['package']?.steps?.map(({ run }) => run).filter((run) => run !== undefined) ?? [];
  const image = release?.jobs['image']?.steps?.find(({ uses }) => uses?.startsWith('actions/attest-build-provenance@'));

  expect(runs.indexOf('.ci/run')).toBeGreaterThan(-1);
  expect(runs.indexOf('npm publish --provenance --access public')).toBeGreaterThan(runs.indexOf('.ci/run'));
  expect(release?.jobs['part']).toMatchObject({ needs: 'package' });
  expect(release?.jobs['image']).toMatchObject({ needs: 'part' });
  expect(image?.with).toMatchObject({ 'push-to-registry': true });
});
