import { expect, test } from 'vitest';
import {
  CAMPAIGN_ACTIONS,
  CAMPAIGN_STATES,
  nextState,
  statesAllowing,
} from '../../domain/campaign-state.ts';

test.each([
  ['draft', { check: 'checked', edit: 'draft', cancel: 'cancelled' }],
  ['checked', { edit: 'draft', launch: 'launched', cancel: 'cancelled' }],
  ['launched', { start: 'running', pause: 'paused', cancel: 'cancelled' }],
  ['running', { pause: 'paused', finish: 'finished', cancel: 'cancelled' }],
  ['paused', { resume: 'running', cancel: 'cancelled' }],
  ['finished', {}],
  ['cancelled', {}],
] as const)('a campaign that is %s allows %o and nothing else', (state, allowed) => {
  const found = CAMPAIGN_ACTIONS.flatMap((action) => {
    const next = nextState(state, action);
    return next === null ? [] : [[action, next]];
  });
  expect(Object.fromEntries(found)).toEqual(allowed);
});

test('the states that allow an action are those it leads on from', () => {
  expect(statesAllowing('pause')).toEqual(['launched', 'running']);
  expect(statesAllowing('cancel')).toEqual(CAMPAIGN_STATES.slice(0, 5));
});
