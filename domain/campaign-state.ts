/** Lists the states of a campaign. */
export const CAMPAIGN_STATES = [
  'draft',
  'checked',
  'launched',
  'running',
  'paused',
  'finished',
  'cancelled',
] as const;

/** Names a state of a campaign. */
export type CampaignState = (typeof CAMPAIGN_STATES)[number];

/** Lists what can be done to a campaign. */
export const CAMPAIGN_ACTIONS = [
  'check',
  'edit',
  'launch',
  'start',
  'pause',
  'resume',
  'finish',
  'cancel',
] as const;

/** Names what can be done to a campaign. */
export type CampaignAction = (typeof CAMPAIGN_ACTIONS)[number];

const TRANSITIONS: Record<CampaignState, Partial<Record<CampaignAction, CampaignState>>> = {
  draft: { edit: 'draft', check: 'checked', cancel: 'cancelled' },
  checked: { edit: 'draft', launch: 'launched', cancel: 'cancelled' },
  launched: { start: 'running', pause: 'paused', cancel: 'cancelled' },
  running: { pause: 'paused', finish: 'finished', cancel: 'cancelled' },
  paused: { resume: 'running', cancel: 'cancelled' },
  finished: {},
  cancelled: {},
};

/** Finds the state that an action leads to; null when the state does not allow it. */
export function nextState(state: CampaignState, action: CampaignAction): CampaignState | null {
  return TRANSITIONS[state][action] ?? null;
}

/** Lists the states that allow an action. */
export function statesAllowing(action: CampaignAction): CampaignState[] {
  return CAMPAIGN_STATES.filter((state) => nextState(state, action) !== null);
}
