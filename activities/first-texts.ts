import { causeId } from '../db/ids.ts';
import type { AudienceMember, PlannedText } from '../db/planning.ts';
import { findStep, openingSends } from '../domain/script.ts';
import { measure } from '../domain/segments.ts';
import { parseTemplate, render, type Template } from '../domain/template.ts';
import { mergeValues, readScript } from './scripts.ts';

/** What a campaign says first. */
export interface FirstText {
  readonly step: string;
  readonly template: Template;
}

export function firstText(campaign: {
  readonly graph: unknown;
  readonly script_version_id: string;
}): FirstText {
  const script = readScript(campaign.graph);
  const [step = script.start] = openingSends(script).sends;
  const parsed = parseTemplate(findStep(script, step)?.text ?? '');
  if (!parsed.ok)
    throw new Error(`script version ${campaign.script_version_id}: ${parsed.problem}`);
  return { step, template: parsed.template };
}

/** One person's first text; its id is derived from its cause, so that it is the same whoever writes it. */
export function writeFirstText(
  campaign: { readonly launched_at: Date },
  { step, template }: FirstText,
  person: Pick<AudienceMember, 'id' | 'contact_id' | 'e164' | 'merge'>,
): PlannedText {
  const rendered = render(template, mergeValues(person.merge));
  const body = rendered.ok ? rendered.body : '';
  const { encoding, segments } = measure(body);
  return {
    id: causeId(campaign.launched_at.getTime(), 'campaign-text', person.id, step, 0, 1),
    conversationId: person.id,
    contactId: person.contact_id,
    address: person.e164,
    body,
    encoding,
    segments: Math.max(1, segments),
    skipReason: rendered.ok ? null : 'missing_merge_field',
  };
}
