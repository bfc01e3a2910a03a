import { hash } from 'node:crypto';
import { canonicalJson, isObject } from '../base/json.ts';
import { isLoopback } from '../base/loopback.ts';
import { pemFault } from '../base/pem.ts';
import { type Fault, faultsError, type YamlPath, type YamlText } from '../base/yaml-faults.ts';
import type { TlsOptions } from '../sinks/common-options.ts';
import type { ConnectionConfig, Options, Refreshable } from './config.ts';
import { placeholder, type ValueSources } from './interpolate.ts';
import type { LoadContext, NamedBlock } from './load-context.ts';
import { type Block, type BlockSchema, readBlock } from './read-block.ts';

const mostFileBytes = 1_048_576;

/** What the schema of `tls:` cannot say, and whether its files are there; `at` is the block that holds it. */
export async function checkTls(tls: TlsOptions | undefined, at: YamlPath, context: LoadContext): Promise<void> {
  if (tls === undefined) return;
  const { doc, faults, warnings } = context;
  const place = [...at, 'tls'];
  if (tls.insecure_skip_verify === true) {
    warnings.push(
      doc.fault([...place, 'insecure_skip_verify'], 'certificates are not checked', 'remove it; set ca_file or pin_sha256'),
    );
  }
  if ((tls.cert_file === undefined) !== (tls.key_file === undefined)) {
    const [has, lacks] = tls.cert_file === undefined ? ['key_file', 'cert_file'] : ['cert_file', 'key_file'];
    faults.push(doc.fault([...place, has ?? ''], `${has} without ${lacks}`, `add ${lacks}`));
  }
  // Like secret files, certificates need not be on the machine that validates without secrets.
  if (context.from.withoutSecrets) return;
  const before = faults.length;
  const [ca, cert, key] = await Promise.all(tlsFiles.map((option) => readPem(tls[option], [...place, option], context)));
  const fault = faults.length > before ? undefined : pemFault({ ca, cert, key });
  if (fault === undefined) return;
  const option = `${fault.part}_file` as const;
  faults.push(doc.fault([...place, option], `"${tls[option]}" ${fault.what}`, fault.fix));
}

const tlsFiles = ['ca_file', 'cert_file', 'key_file'] as const;

async function readPem(path: string | undefined, at: YamlPath, { doc, faults, from }: LoadContext): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const report = (what: string, fix: string): undefined => void faults.push(doc.fault(at, what, fix));
  try {
    const info = await from.files.stat(path);
    if (!info.isFile() || info.size > mostFileBytes) return report(`"${path}" is not a PEM file`, 'name a PEM file');
    return await from.files.readFile(path, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      return report(
        `file "${path}" does not exist`,
        'create it, or correct the path; relative paths start at the configuration file',
      );
    return report(`file "${path}" cannot be read (${code ?? 'unknown fault'})`, 'correct its permissions');
  }
}

const plain = /^(http|ws|tcp|udp|relp):\/\//i;

function isPlainBeyondLoopback(url: string): boolean {
  if (!plain.test(url) || url.includes(placeholder)) return false;
  const host = /^[a-z]+:\/\/(?:[^/?#]*@)?(\[[^\]]*\]|[^/:?#]*)/i.exec(url)?.[1] ?? '';
  return !isLoopback(host);
}

/** Every text in a value that begins like a URL, with its path. */
export function urlsIn(value: unknown, at: YamlPath = []): { readonly path: YamlPath; readonly url: string }[] {
  if (typeof value === 'string') return /^[a-z]+:\/\//i.test(value) ? [{ path: at, url: value }] : [];
  if (Array.isArray(value)) return value.flatMap((item, index) => urlsIn(item, [...at, index]));
  return isObject(value) ? Object.entries(value).flatMap(([key, item]) => urlsIn(item, [...at, key])) : [];
}

/** Faults (or, when plain text is allowed, warnings) for the URLs of a block that travel unencrypted beyond this machine. */
export function plaintextFaults(
  urls: readonly { readonly path: YamlPath; readonly url: string }[],
  isAllowed: boolean,
  doc: YamlText,
): Fault[] {
  return urls
    .filter(({ url }) => isPlainBeyondLoopback(url))
    .map(({ path, url }) => {
      const scheme = url.slice(0, url.indexOf(':'));
      const what = `${scheme}:// sends events and credentials unencrypted beyond this machine`;
      return isAllowed
        ? doc.fault(path, what, `use ${encrypted[scheme.toLowerCase()] ?? 'TLS'} as soon as the other side can`)
        : doc.fault(path, what, `use ${encrypted[scheme.toLowerCase()] ?? 'TLS'}, or add "allow_plaintext: true" beside it`);
    });
}

const encrypted: Readonly<Record<string, string>> = {
  http: 'https://',
  ws: 'wss://',
  tcp: 'tls://',
  udp: 'tls://',
  relp: 'relps://',
};

/** How a block reaches the network: what it says itself, else what stands at the top of the file. */
function connectionOf(block: Readonly<Record<string, unknown>>, top: ConnectionConfig): ConnectionConfig {
  const tls = (block['tls'] as TlsOptions | undefined) ?? top.tls;
  const proxy = (block['proxy'] as string | undefined) ?? top.proxy;
  return {
    tls,
    proxy,
  };
}

/**
 * Makes the part of a source or sink that can be read again. `optionsOf` picks the options of its kind out of the checked block, and
 * gets the connection too, because some kinds open their sockets themselves.
 */
export async function refreshable(
  block: Block,
  { at, raw }: NamedBlock,
  schema: BlockSchema,
  context: LoadContext,
  optionsOf: (value: Readonly<Record<string, unknown>>, http: ConnectionConfig) => Options,
): Promise<Refreshable> {
  const { from } = context;
  const keyOf = async (value: unknown, http: ConnectionConfig): Promise<string> =>
    hash('sha256', canonicalJson([raw, value, http, await contentOf(http.tls, from), from.dir]));
  const http = connectionOf(block.value, context.top);
  return {
    key: await keyOf(block.value, http),
    options: optionsOf(block.value, http),
    http,
    async resolve() {
      const { value, faults } = await readBlock(raw, at, schema, context.doc, from);
      if (faults.length > 0) throw faultsError('PEN_CONFIG_INVALID', faults);
      const connection = connectionOf(value, await context.readTop());
      return { options: optionsOf(value, connection), http: connection, key: await keyOf(value, connection) };
    },
  };
}

/** Digests of what stands in the files of `tls`; null for one that is not there, or is not looked at. */
function contentOf(tls: TlsOptions | undefined, { files, withoutSecrets }: ValueSources): Promise<readonly (string | null)[]> {
  const digest = async (path: string | undefined): Promise<string | null> => {
    if (path === undefined || withoutSecrets) return null;
    return files.readFile(path).then(
      (bytes) => hash('sha256', bytes),
      () => null,
    );
  };
  return Promise.all(tlsFiles.map((option) => digest(tls?.[option])));
}
