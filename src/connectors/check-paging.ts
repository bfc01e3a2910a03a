// What one kind of paging needs of the request and of the paths that lead on.
import { isObject } from '../base/json.ts';
import type { Fault, YamlPath, YamlText } from '../base/yaml-faults.ts';
import { parsePath } from '../event/index.ts';
import type { ConnectorSpec } from './connector-schema.ts';
import { isOfWindow } from './http-window/groups.ts';
import type { ReadSpec } from './read-section.ts';
import { textsBelow, valueAt } from './template.ts';

/** Checks `read.page` with `read.request`, of a range too. */
export function checkPaging({ read, record }: ConnectorSpec, doc: YamlText): Fault[] {
  if (read.kind === 'http_window')
    return [
      ...checkAsked(read, ['read'], doc, needsNoStart(read) ? undefined : 'window.from'),
      ...checkOrder(read, doc),
      ...checkTimeToken(read, record, doc),
    ];
  if (read.kind !== 'http_cursor') return [];
  const { range } = read;
  const ranged =
    range === undefined
      ? []
      : checkAsked({ request: range.request, page: range.page ?? read.page }, ['read', 'range'], doc, 'window.from');
  const unbounded =
    range === undefined || names(range.request, 'window.to')
      ? []
      : [
          doc.fault(
            ['read', 'range', 'request'],
            'the request says no end of the range',
            fillIn(range.request, 'window.to'),
            'key',
          ),
        ];
  return [...checkAsked(read, ['read'], doc), ...ranged, ...unbounded];
}

type WindowRead = Extract<ReadSpec, { kind: 'http_window' }>;

/** True where the list of files has the bounds, or nothing has. */
const needsNoStart = ({ groups, newest_first: isNewestFirst }: WindowRead): boolean =>
  isNewestFirst === true || (groups !== undefined && isOfWindow(groups));

function checkOrder({ newest_first: isNewestFirst, ascending, page }: WindowRead, doc: YamlText): Fault[] {
  if (isNewestFirst !== true) return [];
  const at = ['read', 'newest_first'];
  if (ascending === true) return [doc.fault(at, 'records come newest first or oldest first', 'leave one of both out', 'key')];
  if (page.kind === 'none' && page.whole !== true)
    return [doc.fault(at, 'there is one page', 'say how pages follow each other: read.page', 'key')];
  return [];
}

type Asked = Pick<WindowRead, 'request' | 'page'>;

const orNewestFirst = '; for an API without a time range that lists newest first: newest_first: true';
const needs: Partial<Record<Asked['page']['kind'], string>> = {
  offset: 'page.offset',
  page_number: 'page.number',
  token: 'page.token',
};

/** True when a template of the request has this name. */
function names(request: Asked['request'], name: string): boolean {
  const place = new RegExp(`\\{\\{\\s*${name.replace('.', '\\.')}\\s*\\}\\}`);
  return textsBelow(request, []).some(([, text]) => place.test(text));
}

function fillIn({ body }: Asked['request'], name: string): string {
  return `add a ${body === undefined ? 'query parameter' : 'member of the body'} whose value is "{{ ${name} }}"`;
}

function checkAsked({ page, request }: Asked, at: YamlPath, doc: YamlText, start?: string): Fault[] {
  const faults: Fault[] = [];
  const need = needs[page.kind];
  if (need !== undefined && !names(request, need))
    faults.push(
      doc.fault([...at, 'request'], `paging by ${page.kind} needs {{ ${need} }} in the request`, fillIn(request, need), 'key'),
    );
  const { kind } = page;
  if ((kind === 'token' || kind === 'link') && page[kind] === undefined && page.header === undefined)
    faults.push(
      doc.fault(
        [...at, 'page'],
        `paging by ${kind} needs the path of it in the reply`,
        `add ${kind}: path, or header: name`,
        'key',
      ),
    );
  if (start !== undefined && !names(request, start))
    faults.push(
      doc.fault(
        [...at, 'request'],
        'the request says no start of the window',
        `${fillIn(request, start)}${orNewestFirst}`,
        'key',
      ),
    );
  const hasBody = [request.body, request.first?.body, request.later?.body].some((body) => body !== undefined);
  const methods = [request.method, request.first?.method, request.later?.method];
  if (hasBody && !methods.includes('POST'))
    faults.push(doc.fault([...at, 'request', 'body'], 'a GET request has no body', 'set method: POST', 'key'));
  return [...faults, ...checkForm(request, at, doc)];
}

/** A form has fields, and nothing below them. */
function checkForm(request: Asked['request'], at: YamlPath, doc: YamlText): Fault[] {
  if (request.body_format !== 'form') return [];
  const variants = [['body'], ['first', 'body'], ['later', 'body'], ['now', 'body']];
  const bodies = variants.map((path) => [path, valueAt(request, path)] as const);
  if (bodies.every(([, body]) => body === undefined))
    return [
      doc.fault([...at, 'request', 'body_format'], 'the request has no body', 'add body: with the fields of the form', 'key'),
    ];
  return bodies.flatMap(([path, body]) =>
    Object.entries(isObject(body) ? body : {})
      .filter(([, value]) => [value].flat().some((each) => typeof each === 'object' && each !== null))
      .map(([name]) =>
        doc.fault(
          [...at, 'request', ...path, name],
          `a form has no members below "${name}"`,
          'write a text, a number or a list of these; a vendor that wants JSON in a field takes it as a text',
          'key',
        ),
      ),
  );
}

/** A page that is asked for by the time of the last record leaves out those of the same time that the page before had no room for. */
function checkTimeToken({ page, request }: Asked, { time }: ConnectorSpec['record'], doc: YamlText): Fault[] {
  // Without an end of the window nothing smaller could be asked for instead.
  if (page.kind !== 'token' || page.token === undefined || !names(request, 'window.to')) return [];
  const times = [time].flat().map((path) => JSON.stringify(parsePath(path)));
  const isTime = [page.token].flat().some((path) => {
    const steps = parsePath(path) ?? [];
    const index = steps.findLastIndex((step) => typeof step === 'number');
    return index !== -1 && times.includes(JSON.stringify(steps.slice(index + 1)));
  });
  if (!isTime) return [];
  const what =
    'the next page is asked for by the time of a record: others of the same time that had no room on the page may be lost';
  const fix =
    'take {{ page.token }} out of the request and write page: { kind: none, size: ... } with the records of a full page: a window that fills one is read in halves, down to window.min';
  return [doc.fault(['read', 'page', 'token'], what, fix)];
}
