import { expect, it } from 'vitest';
import { compileActionFilter } from '../../src/event/action-key.ts';

const actions = ['login', 'logout', 'view', undefined];

it.each([
  { what: 'all without lists', filter: {}, passes: ['login', 'logout', 'view', undefined] },
  { what: 'all but the excluded', filter: { exclude_actions: ['view'] }, passes: ['login', 'logout', undefined] },
  { what: 'only the listed', filter: { only_actions: ['view'] }, passes: ['view', undefined] },
  { what: 'nothing with an action for an empty list', filter: { only_actions: [] }, passes: [undefined] },
  {
    what: 'of the listed those that are not excluded',
    filter: { only_actions: ['view', 'login'], exclude_actions: ['view'] },
    passes: ['login', undefined],
  },
])('lets $what pass', ({ filter, passes }) => {
  expect(actions.filter(compileActionFilter(filter))).toEqual(passes);
});
