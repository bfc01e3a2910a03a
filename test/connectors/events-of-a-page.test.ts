// Records that hold several events, page by page.
import { expect, it } from 'vitest';
import { openVendor, pageOf, vendorConnector } from './vendor.ts';

const connector = vendorConnector({}, { record: { each: 'events', id: 'id', time: 'time', action: 'events.name' } });
const record = (id: string, ...names: string[]) => ({ id, time: 1, events: names.map((name) => ({ name })) });

const pages = [
  { what: 'one event each', data: [record('a', 'x'), record('b', 'y')], actions: ['x', 'y'] },
  { what: 'several events', data: [record('a', 'x', 'y'), record('b', 'z')], actions: ['x', 'y', 'z'] },
  { what: 'one event, or none', data: [record('a', 'x'), record('b')], actions: ['x', undefined] },
  { what: 'one event alone', data: [record('a', 'x')], actions: ['x'] },
];

it.each(pages)('cuts a page of records with $what into events', async ({ data, actions }) => {
  const { records, count } = await pageOf(openVendor(connector, () => ({ body: { data } })));

  expect([...records].map((raw) => connector.records.examine(raw, undefined).action)).toEqual(actions);
  expect(count).toBe(data.length);
});

it('names an event alike, whatever else is on its page', async () => {
  const uidOf = async (data: readonly unknown[]): Promise<string | undefined> => {
    const [first] = (await pageOf(openVendor(connector, () => ({ body: { data } })))).records;
    return first && connector.records.examine(first, undefined).uid;
  };

  expect(await uidOf([record('a', 'x')])).toBe(await uidOf([record('a', 'x'), record('b', 'y', 'z')]));
});
