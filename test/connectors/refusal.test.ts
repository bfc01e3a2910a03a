import { expect, it } from 'vitest';
import { refusalError } from '../../src/connectors/http-window/judge.ts';

const places = ['first', 'offset', 'cursor'] as const;

/** The code of an answer at the first page, after it by offset or number, and after it by token or link. */
function codesOf(status: number, retryAfterMs?: number): string[] {
  return places.map((at) => {
    const refusal = { status, at, retryAfterMs, words: '', request: 'GET https://x', hints: {}, redirect: undefined };
    return refusalError(refusal).code.replace('PEN_', '');
  });
}

it.each([400, 413, 414])('takes %i for a window that is too large, except where a token or link was sent', (status) => {
  expect(codesOf(status)).toEqual(['WINDOW_TOO_LARGE', 'WINDOW_TOO_LARGE', 'PAGE_TOKEN_REFUSED']);
});

it.each([402, 403, 404, 422])('asks for a person only where %i answers a first page', (status) => {
  expect(codesOf(status)).toEqual(['SOURCE_REFUSED', 'WINDOW_TOO_LARGE', 'PAGE_TOKEN_REFUSED']);
});

it.each([405, 406, 409, 410, 412, 416, 417, 418, 431, 451, 498])('takes %i after the first page for its place', (status) => {
  expect(codesOf(status)).toEqual(['SOURCE_BAD_REPLY', 'WINDOW_TOO_LARGE', 'PAGE_TOKEN_REFUSED']);
});

it('takes 401 for the credential wherever it comes', () => {
  expect(codesOf(401)).toEqual(['SOURCE_REFUSED', 'SOURCE_REFUSED', 'SOURCE_REFUSED']);
});

it.each([408, 425, 429, 500, 502, 503, 599])('tries again after %i wherever it comes', (status) => {
  expect(codesOf(status)).toEqual(['SOURCE_UNAVAILABLE', 'SOURCE_UNAVAILABLE', 'SOURCE_UNAVAILABLE']);
});

it('takes 403 with a time to wait for a rate limit wherever it comes', () => {
  expect(codesOf(403, 40_000)).toEqual(['SOURCE_UNAVAILABLE', 'SOURCE_UNAVAILABLE', 'SOURCE_UNAVAILABLE']);
});

it.each([400, 403, 404])('says of %i behind a first page that its place is at fault, and nothing of options', (status) => {
  const refusal = {
    status,
    at: 'cursor',
    retryAfterMs: undefined,
    words: '',
    request: 'GET https://x',
    hints: {},
    redirect: undefined,
  } as const;

  expect(refusalError(refusal).fix).toMatch(
    /^the window is read again; if that does not help, see that read\.page of the connector/,
  );
});

it('says of every status what to do, of one that may pass that nothing need be done meanwhile', () => {
  const fixOf = (status: number): string | undefined =>
    refusalError({
      status,
      at: 'first',
      retryAfterMs: undefined,
      words: '',
      request: 'GET https://x',
      hints: {},
      redirect: undefined,
    }).fix;
  const all = Array.from({ length: 300 }, (_, index) => 300 + index);

  expect(all.filter((status) => fixOf(status) === undefined)).toEqual([]);
  expect([408, 425, 429, 500, 502, 503, 599].map((status) => fixOf(status)?.slice(0, 25))).toEqual(
    Array.from({ length: 7 }, () => 'nothing needs to be done '),
  );
});
