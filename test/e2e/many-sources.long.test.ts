import { it } from 'vitest';
import { expectFairPolls } from './many-sources.ts';

it('polls 500 sources fairly in one process; a slow and a broken vendor delay no other', () => expectFairPolls(500));
