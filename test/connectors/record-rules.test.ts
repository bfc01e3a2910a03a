import { assert, jsonValue, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRecordRules } from '../../src/connectors/record-rules.ts';
import { uidOf } from '../../src/event/index.ts';
import { vendorConnector } from './vendor.ts';

const spec = {
  id: 'id',
  time: ['at', 'created'],
  action: 'what',
  tenant: 'org',
  volatile: ['text'],
  self: { actions: ['log.read'], user_agent: 'actor.agent' },
};
const rules = compileRecordRules(spec, 'demo');

describe('a record', () => {
  it('is told by its facts, redacted, with the tenant that it names itself', () => {
    const facts = rules.examine(
      { value: { id: 'a1', at: null, created: '2026-11-20T10:00:00Z', what: 'Policy Updated', org: 'o1', token: 'x' } },
      'configured',
    );

    expect(facts).toMatchObject({
      uid: uidOf('demo', 'o1', 'a1'),
      time: Date.UTC(2026, 10, 20, 10),
      actionKey: 'policy_updated',
      record: { id: 'a1', what: 'Policy Updated', token: '[REDACTED]' },
    });
    expect(facts.unreadable).toBeUndefined();
  });

  it.each(['id', 'text', 'other'])('is told apart from others even where %s is nested thousands deep', (name) => {
    const nested: unknown = JSON.parse(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`);

    const [first, second] = [1, 2].map((at) => rules.examine({ value: { id: `i-${at}`, at, [name]: [at, nested] } }, 'o'));

    expect(first?.uid).not.toBe(second?.uid);
    expect(first?.unreadable).toBeUndefined();
  });

  it('keeps its fingerprint when only volatile fields change, and has a uid of its own when others do', () => {
    const [first, reworded, other] = [
      { id: '1', text: 'a' },
      { id: '1', text: 'b' },
      { id: '1', text: 'a', x: 1 },
    ].map((value) => rules.examine({ value }, 'o'));

    expect(reworded?.fingerprint).toBe(first?.fingerprint);
    expect(other?.uid).toBe(first?.uid);
    expect(other?.conflictUid).not.toBe(first?.conflictUid);
  });

  it('is identified before redaction', () => {
    const [one, two] = ['x', 'y'].map((token) => rules.examine({ value: { token } }, 'o'));

    expect(one?.record).toEqual(two?.record);
    expect(one?.uid).not.toBe(two?.uid);
  });

  it('with the id of its message, or the n-th of a file, is named by that', () => {
    const byMessage = rules.examine({ value: { id: '1' }, id: 'CAMQ#2' }, 'o');
    const second = rules.examine({ value: { id: '1' }, occurrence: 2 }, 'o');

    expect([byMessage.uid, second.uid]).toEqual([uidOf('demo', 'o', 'CAMQ#2'), uidOf('demo', 'o', '1#2')]);
  });

  it.each([
    [{ what: 'log.read', actor: { agent: 'penstock/1 (a)' } }, true],
    [{ what: 'LOG_READ', actor: { agent: 'penstock/1 (a)' } }, true],
    [{ what: 'log.read', actor: { agent: 'penstock/1 (b)' } }, false],
    [{ what: 'log.written', actor: { agent: 'penstock/1 (a)' } }, false],
    [{ actor: { agent: 'penstock/1 (a)' } }, false],
  ])('%j made by ourselves: %s', (value, isOurs) => {
    expect(rules.examine({ value }, 'o').isSelfMade('penstock/1 (a)')).toBe(isOurs);
  });

  it('that cannot be read is its text, without secrets', () => {
    const facts = rules.examine({ value: 'AstraCS:abc:def', unreadable: 'not JSON' }, 'o');

    expect(facts).toMatchObject({ record: '[REDACTED]', unreadable: 'not JSON', time: undefined, actionKey: undefined });
  });

  it.each([
    ['soon', true],
    ['11/12/2026 10:00', true],
    ['0001-01-01T00:00:00Z', true],
    ['2026-11-20T10:00:00Z', undefined],
    [null, undefined],
    ['', undefined],
    [undefined, undefined],
  ])('with %j as its time has one that cannot be read: %s', (time, expected) => {
    const { records } = vendorConnector({});

    expect(records.examine({ value: { id: 1, time } }, 'o').hasUnreadableTime).toBe(expected);
  });

  it('of any form has facts', () => {
    assert(
      property(jsonValue(), (value) => {
        const facts = rules.examine({ value }, undefined);

        expect(facts.uid).toMatch(/^[0-9a-f]{32}$/);
        expect(facts.fingerprint).toMatch(/^[0-9a-f]{16}$/);
      }),
    );
  });
});
