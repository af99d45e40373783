import { describe, expect, test } from 'vitest';
import { judgeAudit } from './judges/audit.ts';
import { judgeCounters, judgeOrphans } from './judges/links.ts';
import { aCall, aCampaign, CAMPAIGN, someFacts } from './some-facts.ts';
import { createFindings, formatVerdicts } from './verdict.ts';

describe('audit', () => {
  const pauses = (rows: number, byEngine = false) => [
    { action: 'campaign.pause', objectId: CAMPAIGN, byEngine, rows },
  ];

  test('accepts a row for each acknowledged change', () => {
    expect(judgeAudit(someFacts({ calls: [aCall()], ledger: { audit: pauses(1) } })).ok).toBe(true);
  });

  test('asks nothing of changes that were refused or not answered', () => {
    const calls = [aCall({ status: 409 }), aCall({ status: null })];
    expect(judgeAudit(someFacts({ calls })).ok).toBe(true);
  });

  test('takes answers to one key for one change', () => {
    const calls = [aCall({ idempotencyKey: 'k' }), aCall({ idempotencyKey: 'k' })];
    expect(judgeAudit(someFacts({ calls, ledger: { audit: pauses(1) } })).ok).toBe(true);
  });

  test.each([
    ['no row', []],
    ['a row of the engine only', pauses(1, true)],
  ])('refuses %s for an acknowledged change', (_title, audit) => {
    expect(judgeAudit(someFacts({ calls: [aCall()], ledger: { audit } })).violations).toBe(1);
  });

  test('refuses a seal that does not hold', () => {
    const broken = { rule: 'a seal', rows: 1, examples: ['seal 1'] };
    const facts = someFacts({ ledger: { seals: { sealed: 5, broken } } });
    expect(judgeAudit(facts)).toMatchObject({ violations: 1, figures: { 'sealed rows': 5 } });
  });

  test('refuses more changes, or fewer, than were audited', () => {
    const judge = (fence: number, isAudited = true) =>
      judgeAudit(someFacts({ campaigns: [aCampaign({ fence, isAudited })] })).violations;
    expect([judge(3), judge(4), judge(2)]).toEqual([0, 1, 1]);
    expect(judge(4, false)).toBe(0);
  });
});

test('rows that point at nothing and wrong counters are counted by rule', () => {
  const broken = [
    { rule: 'a', rows: 12, examples: ['1', '2', '3', '4'] },
    { rule: 'b', rows: 1, examples: ['5'] },
  ];
  const facts = someFacts({ ledger: { orphans: broken, counters: broken } });
  expect(judgeOrphans(facts)).toMatchObject({ violations: 13, examples: ['a: 1, 2, 3', 'b: 5'] });
  expect(judgeCounters(facts).ok).toBe(false);
  expect(judgeOrphans(someFacts({})).ok).toBe(true);
});

test('a table shows each verdict with at most ten examples', () => {
  const findings = createFindings('I1', 'nothing is lost');
  for (let n = 0; n < 12; n += 1) findings.violation(`row ${n}`);
  findings.count('accepted', 3);
  const verdict = findings.verdict();
  expect(verdict).toMatchObject({ ok: false, violations: 12 });
  expect(verdict.examples).toHaveLength(10);
  expect(formatVerdicts([verdict])).toContain('I1        RED         12  nothing is lost');
  expect(formatVerdicts([verdict])).toContain('accepted 3');
});
