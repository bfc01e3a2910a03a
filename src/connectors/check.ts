import type { Fault, YamlPath, YamlText } from '../base/yaml-faults.ts';
import { actionNamePaths, checkMap, openZone, parsePath } from '../event/index.ts';
import { authTexts, checkAuth } from './check-auth.ts';
import { checkPaging } from './check-paging.ts';
import type { ConnectorSpec } from './connector-schema.ts';
import { patternFault } from './http-window/request.ts';
import { checkOptions, optionNames } from './options.ts';
import { looseHostName } from './origin.ts';
import type { ReadSpec } from './read-section.ts';
import { compileTemplate, type Place, templateFaults, textsBelow, valueAt } from './template.ts';

const windowNames = ['window.from', 'window.to'];
const pageNames = ['page.limit', 'page.offset', 'page.number', 'page.token'];

/** What is wrong with a connector.yaml that its schema accepts: paths, templates, and what one kind of paging needs. */
export function checkConnector(spec: ConnectorSpec, doc: YamlText): Fault[] {
  return [
    ...checkOptions(spec.options, doc),
    ...checkTemplates(spec, doc),
    ...checkAuth(spec, doc),
    ...checkHosts(spec.read, doc),
    ...checkPaths(spec, doc),
    ...checkPaging(spec, doc),
    ...checkDetails(spec.read, doc),
    ...checkRecordsInto(spec.read, doc),
    ...checkStorage(spec.read, doc),
    ...checkPending(spec.read, doc),
    ...checkReply(spec.read, doc),
    ...checkRecord(spec, doc),
  ];
}

function checkTemplates({ options, auth, read, tenant }: ConnectorSpec, doc: YamlText): Fault[] {
  const fromOptions = optionNames(options);
  const isHttp = read.kind === 'http_window' || read.kind === 'http_cursor';
  const request = isHttp
    ? requestParts.flatMap(([part, ...path]) => textsBelow(valueAt(read, [part, ...path]), ['read', part, ...path]))
    : [];
  const details = isHttp ? textsBelow(read.details, ['read', 'details']) : [];
  const pending = isHttp ? textsBelow(read.pending?.url, ['read', 'pending', 'url']) : [];
  const address = isHttp ? [] : textsBelow(read, ['read']).filter(([, text]) => text.includes('{{'));
  const storage = isHttp ? textsBelow(read.storage, ['read', 'storage']) : [];
  const places = [...storage, ...authTexts(auth), ...textsBelow(tenant, ['tenant']), ...address];
  return [
    ...templateFaults(places, fromOptions, doc),
    ...templateFaults(details, [...fromOptions, ...heldNames(details, 'record')], doc),
    ...templateFaults(pending, [...fromOptions, ...heldNames(pending, 'reply')], doc),
    ...templateFaults(request, [...fromOptions, ...windowNames, ...pageNames, ...heldNames(request, 'group')], doc),
  ];
}

/** A host that a record, a group or a token names could be anybody's, and the credential goes there. */
function checkHosts(read: ReadSpec, doc: YamlText): Fault[] {
  const variants = requestParts.flatMap((part) => ['first', 'later', 'now'].map((name) => [...part, name]));
  return [...requestParts, ...variants, ['details'], ['pending']].flatMap((part) => {
    const url = valueAt(read, [...part, 'url']);
    const name = typeof url === 'string' ? looseHostName(url) : undefined;
    if (name === undefined) return [];
    const what = `the host comes from "${name}", and the credential would follow it`;
    return [
      doc.fault(['read', ...part, 'url'], what, 'name the host, or take it from the options; values may stand in the path'),
    ];
  });
}

/** Names of the form `record.PATH`, `group.PATH` and `reply.PATH`, of which any path may follow. */
function heldNames(places: readonly Place[], prefix: 'record' | 'group' | 'reply'): string[] {
  return places
    .flatMap(([, text]) => compileTemplate(text).names)
    .filter((name) => name.startsWith(`${prefix}.`) && parsePath(name.slice(prefix.length + 1)) !== undefined);
}

/** Where requests stand below `read`. */
const requestParts = [['request'], ['sweep'], ['range', 'request'], ['groups', 'request']] as const;

const pagePaths = ['total', 'token', 'link', 'more'];

function checkPaths({ read, record, map }: ConnectorSpec, doc: YamlText): Fault[] {
  const reply =
    read.kind === 'http_window' || read.kind === 'http_cursor'
      ? [
          Object.keys(read.failures ?? {}).map((path): Place => [['read', 'failures', path], path]),
          ...[
            ['records'],
            ['pending', 'link'],
            ['reply', 'trailer'],
            ['groups', 'link'],
            ['groups', 'id'],
            ['groups', 'records'],
            ...['at', 'name', 'row', 'value'].map((name) => ['columns', name]),
            ['range', 'records'],
            ...pagePaths.flatMap((name) => [
              ['page', name],
              ['range', 'page', name],
            ]),
          ].map((path) => textsBelow(valueAt(read, path), ['read', ...path])),
        ]
      : [];
  const { user_agent } = record.self ?? {};
  const ofRecord = [
    ...(['id', 'each', 'time', 'tenant', 'volatile'] as const).map((name) => textsBelow(record[name], ['record', name])),
    actionNamePaths(record.action).map(([path, text]): Place => [['record', 'action', ...path], text]),
    textsBelow(user_agent, ['record', 'self', 'user_agent']),
  ];
  const attributes = checkMap(map).map(({ path, what, fix }) => doc.fault(['map', ...path], what, fix));
  const texts = [...reply, ...ofRecord].flat().flatMap(([path, text]) => {
    if (parsePath(text) !== undefined) return [];
    return [doc.fault(path, `"${text}" is not a path`, 'write a path such as actor.ip, target[0].id or target[type=User].id')];
  });
  return [...texts, ...attributes];
}

function checkRecordsInto(read: ReadSpec, doc: YamlText): Fault[] {
  if (!('records_into' in read) || !('columns' in read) || read.records_into === undefined || read.columns === undefined)
    return [];
  return [
    doc.fault(['read', 'records_into'], 'lists of values have no member of their own', 'leave this out, or columns', 'key'),
  ];
}

function checkDetails(read: ReadSpec, doc: YamlText): Fault[] {
  const { url, link, method, body } = ('details' in read && read.details) || { url: '' };
  const fault = (what: string, fix: string): Fault[] => [doc.fault(['read', 'details'], what, fix, 'key')];
  if (body !== undefined && method !== 'POST') return fault('a GET request has no body', 'set method: POST');
  if ((url === undefined) !== (link === undefined)) return [];
  return fault('details need one address', 'set url, or link: the path of an address in the record');
}

/** A pattern must say whose hosts they are: one that anybody's fit is none. */
function checkStorage(read: ReadSpec, doc: YamlText): Fault[] {
  if (!('storage' in read) || read.storage === undefined) return [];
  return read.storage.flatMap((pattern, index) => {
    const text = pattern.replaceAll(/\{\{[^{}]*\}\}/g, 'option.example');
    const isHost = /^[a-z0-9*]([a-z0-9*.-]*[a-z0-9])?(:\d+)?$/i.test(text);
    const isOwned = !text.includes('*') || /\*[^*.]*(\.[^*.]+){2,}$/.test(text);
    if (isHost && isOwned) return [];
    const what = isHost ? `hosts of anybody fit "${pattern}"` : `"${pattern}" is no host`;
    return [doc.fault(['read', 'storage', index], what, 'write a host such as *.s3.*.amazonaws.com, without scheme and path')];
  });
}

/** How to ask again, and when: the one says nothing without the other. */
function checkPending(read: ReadSpec, doc: YamlText): Fault[] {
  if (!('pending' in read) || read.pending === undefined) return [];
  const meanings = [...Object.values(read.statuses ?? {}), ...Object.values(read.failures ?? {}).flatMap(Object.values)];
  const places = (['link', 'header', 'url'] as const).filter((name) => read.pending?.[name] !== undefined);
  const path = ['read', 'pending'];
  return [
    ...(meanings.includes('pending')
      ? []
      : [doc.fault(path, 'nothing says which answers are pending', 'add statuses: { 202: pending }, or failures', 'key')]),
    ...(places.length > 1 ? [doc.fault(path, 'pending takes one address', `keep one of ${places.join(', ')}`, 'key')] : []),
  ];
}

function checkReply(read: ReadSpec, doc: YamlText): Fault[] {
  return [...checkTrailer(read, doc), ...checkCharset(read, doc)];
}

/** Only lines have a last one that may be something else. */
function checkTrailer(read: ReadSpec, doc: YamlText): Fault[] {
  const reply = 'reply' in read ? read.reply : undefined;
  if (reply?.trailer === undefined || reply.format === 'ndjson') return [];
  return [doc.fault(['read', 'reply', 'trailer'], 'only a reply of lines has a last one', 'set format: ndjson, or leave it out')];
}

function checkCharset(read: ReadSpec, doc: YamlText): Fault[] {
  const charset = read.kind === 'http_window' ? read.reply?.charset : undefined;
  try {
    void new TextDecoder(charset);
    return [];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [
      doc.fault(['read', 'reply', 'charset'], `"${charset}" is no charset`, 'write utf-8, windows-1252, utf-16le or the like'),
    ];
  }
}

function checkRecord({ record, read }: ConnectorSpec, doc: YamlText): Fault[] {
  const faults = [
    ...checkZone(record.zone, ['record', 'zone'], doc),
    ...checkFormat(read, doc),
    ...(read.kind === 'http_window' ? checkZone(read.window.zone, ['read', 'window', 'zone'], doc) : []),
  ];
  if (record.each !== undefined && parsePath(record.each)?.every((step) => typeof step === 'string') === false)
    faults.push(doc.fault(['record', 'each'], 'the list must lie below keys', 'write a path such as events or data.events'));
  if (record.each !== undefined && read.kind === 'csv_directory')
    faults.push(doc.fault(['record', 'each'], 'a row of a file has no list', 'leave it out'));
  if (record.hash_is_id !== undefined && record.hash === undefined)
    faults.push(doc.fault(['record', 'hash_is_id'], 'there is no hash', 'add hash: [fields], or leave it out', 'key'));
  if (record.id === undefined && record.hash === undefined && read.kind !== 'pulsar_websocket')
    faults.push(
      doc.fault(['record'], 'nothing identifies a record', 'add id: path, or hash: [fields] for records without one', 'key'),
    );
  return faults;
}

/** A bound that the vendor reads as another time asks for the wrong records, and nobody says so. */
function checkFormat(read: ReadSpec, doc: YamlText): Fault[] {
  const at = read.kind === 'http_window' ? 'window' : 'cursor';
  const format = read.kind === 'http_window' ? read.window.format : read.kind === 'http_cursor' ? read.cursor.format : undefined;
  const wrong = format === undefined ? undefined : patternFault(format);
  return wrong === undefined ? [] : [doc.fault(['read', at, 'format'], ...wrong)];
}

function checkZone(zone: string | undefined, path: YamlPath, doc: YamlText): Fault[] {
  try {
    if (zone !== undefined) openZone(zone);
    return [];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [doc.fault(path, `"${zone}" is no zone`, 'write a name such as Europe/Berlin, or an offset such as +02:00')];
  }
}
