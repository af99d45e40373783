import { z } from '@hono/zod-openapi';
import { SCRIPT_PROBLEMS } from '../../domain/script.ts';
import { id, isStorable, text, time } from './common.ts';

/** Postgres stores no NUL and no half characters. */
const upTo = (length: number) =>
  z.string().max(length).refine(isStorable, 'must be well-formed text without NUL');
const key = upTo(100);
const next = key.nullable().optional().describe('The step that follows; null or absent: the end.');

const AnswerSchema = z.object({
  key: key.describe('Names the answer in reports.'),
  label: upTo(500).describe('The answer in words, for people.'),
  words: z
    .array(upTo(500))
    .max(500)
    .describe('Words or phrases that mean it, without regard to case.'),
  next,
  tag: key.optional().describe('Put on the conversation.'),
  action: z
    .enum(['hand-over', 'opt-out'])
    .optional()
    .describe('hand-over: a person takes over. opt-out: the person gets no more texts.'),
});

const StepSchema = z.object({
  text: upTo(10_000).describe(
    'A template: {{field}} or {{field|fallback}}. The first must offer an opt-out.',
  ),
  answers: z.array(AnswerSchema).max(100).optional().describe('Make the step a question.'),
  next,
  unclear: z
    .enum(['hand-over', 'repeat'])
    .optional()
    .describe('What a reply without a match leads to. Default hand-over.'),
  waitFor: z
    .enum(['delivered'])
    .optional()
    .describe('Goes on to `next` only once the text was delivered.'),
});

export const GraphSchema = z
  .object({
    start: key.describe('The step of the first text.'),
    steps: z.record(key, StepSchema).describe('Steps by key.'),
  })
  .openapi('ScriptGraph');

export const ScriptVersionSchema = z
  .object({
    id: id('The version; campaigns name it.'),
    version: z.int().describe('Counts from 1.'),
    graph: GraphSchema,
    createdAt: time('When it was saved. A version never changes.'),
  })
  .openapi('ScriptVersion');

export const ScriptSummarySchema = z
  .object({
    id: id('The script.'),
    name: z.string().describe('Its name.'),
    createdAt: time('When it was made.'),
    versions: z.int().describe('How many versions it has.'),
  })
  .openapi('ScriptSummary');

export const ScriptSchema = z
  .object({
    id: id('The script.'),
    name: z.string().describe('Its name.'),
    createdAt: time('When it was made.'),
    version: ScriptVersionSchema.describe('The newest version.'),
  })
  .openapi('Script');

export const CreateScriptSchema = z
  .object({ name: text(200, 'What the script is called.'), graph: GraphSchema })
  .openapi('CreateScript');

export const SaveGraphSchema = z.object({ graph: GraphSchema }).openapi('SaveGraph');

export const ScriptProblemsSchema = z
  .object({
    problems: z.array(
      z.object({
        path: z.string().describe('Leads to what is wrong.'),
        code: z.enum(SCRIPT_PROBLEMS).describe('What is wrong, for programs.'),
        message: z.string().describe('What is wrong, in words.'),
        severity: z.enum(['error', 'warning']).describe('Only an error keeps it from being saved.'),
      }),
    ),
  })
  .openapi('ScriptProblems');
