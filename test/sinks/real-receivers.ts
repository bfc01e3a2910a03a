// rsyslog and syslog-ng as installed, or as scripts/install-receivers.sh unpacked them, each run in a folder of its own.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './sink-bench.ts';

const unpacked =
  process.env['PENSTOCK_RECEIVERS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'penstock/receivers');

function find(program: string): string | undefined {
  const places = [join(unpacked, 'usr/sbin'), ...(process.env['PATH'] ?? '').split(':'), '/usr/sbin'];
  return places.map((place) => join(place, program)).find((path) => existsSync(path));
}

function firstFolder(...names: string[]): string | undefined {
  return [unpacked, '/'].flatMap((root) => names.map((name) => join(root, name))).find((path) => existsSync(path));
}

const machine = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const libraries = [join(unpacked, 'usr/lib', machine), join(unpacked, 'lib', machine), join(unpacked, 'usr/lib/syslog-ng')];
const environment = { ...process.env, LD_LIBRARY_PATH: libraries.join(':') };

export const rsyslogd = find('rsyslogd');
export const syslogNg = find('syslog-ng');
/** Why the tests of this file skip, for their names. */
export const howToInstall = 'run scripts/install-receivers.sh';

/** True when rsyslog has a module, e.g. `imrelp`, `lmnsd_gtls`. */
export function rsyslogHas(module: string): boolean {
  const folder = firstFolder(`usr/lib/${machine}/rsyslog`, 'usr/lib64/rsyslog');
  return folder !== undefined && existsSync(join(folder, `${module}.so`));
}

export interface RealReceiver extends AsyncDisposable {
  readonly folder: string;
  /** Lines of the dump so far. */
  lines(): string[];
  /** SIGKILL, then a fresh start on the same ports and dump. */
  restart(): Promise<void>;
}

async function run(
  start: (folder: string) => ChildProcess,
  prepare: (folder: string) => void,
  probePort: number | undefined,
): Promise<RealReceiver> {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-receiver-'));
  prepare(folder);
  let errors = '';
  const launch = async (): Promise<ChildProcess> => {
    const child = start(folder);
    child.stderr?.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.stdout?.resume();
    await until(
      () => child.exitCode !== null || (probePort === undefined ? existsSync(join(folder, 'ready')) : canConnect(probePort)),
    );
    if (child.exitCode !== null) throw new Error(`the receiver ended with ${child.exitCode}: ${errors}`);
    return child;
  };
  const end = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  let child = await launch();
  return {
    folder,
    lines() {
      const dump = join(folder, 'dump');
      if (!existsSync(dump)) return [];
      // What stands after the last line break is still being written.
      return readFileSync(dump, 'utf8').split('\n').slice(0, -1);
    },
    async restart() {
      await end(child);
      child = await launch();
    },
    async [Symbol.asyncDispose]() {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

// One line per message: every property as a JSON string.
const properties = [
  'pri-text',
  'syslogfacility',
  'syslogseverity',
  'timereported',
  'hostname',
  'app-name',
  'procid',
  'msgid',
  'structured-data',
  'msg',
  'protocol-version',
];

/** Starts rsyslog with these modules and inputs; `port` is one that it listens on over TCP. */
export async function startRsyslog(inputs: string, port: number, globals = ''): Promise<RealReceiver> {
  if (rsyslogd === undefined) throw new Error(howToInstall);
  const binary = rsyslogd;
  const modules = firstFolder(`usr/lib/${machine}/rsyslog`, 'usr/lib64/rsyslog') ?? '';
  const template = properties
    .map((name) => {
      const format = name === 'timereported' ? ' dateFormat="rfc3339"' : '';
      return `property(outname="${name}" name="${name}" format="jsonf"${format})`;
    })
    .join(' constant(value=",") ');
  return await run(
    (folder) =>
      spawn(binary, ['-n', '-f', join(folder, 'conf'), '-i', 'NONE', '-M', modules], { env: environment, stdio: 'pipe' }),
    (folder) =>
      writeFileSync(
        join(folder, 'conf'),
        // Without a queue in memory an answer means written, whatever kills the process next.
        `main_queue(queue.type="direct")
global(workDirectory="${folder}" maxMessageSize="128k" parser.escapeControlCharactersOnReceive="off" net.enableDNS="off" preserveFQDN="on" ${globals})
${inputs.replaceAll('FOLDER', folder)}
template(name="json" type="list") { constant(value="{") ${template} constant(value="}\\n") }
action(type="omfile" file="${folder}/dump" template="json" flushOnTXEnd="on")
`,
      ),
    port,
  );
}

/** Starts syslog-ng with this source. */
export async function startSyslogNg(source: string, port: number): Promise<RealReceiver> {
  if (syslogNg === undefined) throw new Error(howToInstall);
  const binary = syslogNg;
  const base = firstFolder('usr/lib/syslog-ng', `usr/lib/${machine}/syslog-ng`) ?? '';
  const modules = join(base, readdirSync(base).find((name) => /^\d/.test(name)) ?? '');
  const version = /(\d+\.\d+)/.exec(execFileSync(binary, ['--version'], { env: environment }).toString())?.[1] ?? '3.38';
  const template =
    '$(format-json facility=$FACILITY_NUM severity=$LEVEL_NUM time=$S_ISODATE host=$HOST app=$PROGRAM pid=$PID msgid=$MSGID sdata=$SDATA msg=$MSG)';
  return await run(
    (folder) =>
      spawn(
        binary,
        [
          '-F',
          '--no-caps',
          '-f',
          join(folder, 'conf'),
          '--persist-file',
          join(folder, 'persist'),
          '--control',
          join(folder, 'ctl'),
          '--pidfile',
          join(folder, 'pid'),
          '--module-path',
          modules,
        ],
        { env: environment, stdio: 'pipe' },
      ),
    (folder) =>
      writeFileSync(
        join(folder, 'conf'),
        `@version: ${version}
options { keep-hostname(yes); use-dns(no); chain-hostnames(no); stats-freq(0); log-msg-size(131072); flush-lines(1); frac-digits(3); };
source s { ${source.replaceAll('FOLDER', folder)} };
destination d { file("${folder}/dump" template("${template}\\n") template-escape(no)); };
log { source(s); destination(d); };
`,
      ),
    port,
  );
}
