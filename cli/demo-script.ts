import type { Script } from '../domain/script.ts';

const YES = ['yes', 'yeah', 'yep', 'y', 'sure', 'absolutely', 'ok'];
const NO = ['no', 'nope', 'n', 'not', 'sorry'];

/** Three questions: will you vote, will you help, may we call. */
export const DEMO_SCRIPT: Script = {
  start: 'vote',
  steps: {
    vote: {
      text: "Hi {{first_name|there}}, it's Sam with Rivertown Votes. Can we count on you to vote on Tuesday? Reply STOP to opt out.",
      answers: [
        { key: 'yes', label: 'Will vote', words: YES, next: 'help', tag: 'supporter' },
        { key: 'no', label: 'Will not vote', words: NO, next: 'thanks' },
      ],
    },
    help: {
      text: 'Great! Would you help at a phone bank this week?',
      answers: [
        { key: 'yes', label: 'Will help', words: YES, next: 'call', tag: 'volunteer' },
        { key: 'no', label: 'Cannot help', words: NO, next: 'thanks' },
      ],
    },
    call: {
      text: 'Thank you! May we call you tomorrow to set a time?',
      answers: [
        { key: 'yes', label: 'May call', words: YES, next: 'done' },
        { key: 'no', label: 'No call', words: NO, next: 'done' },
      ],
    },
    done: { text: "Wonderful. We'll be in touch. Have a good day!" },
    thanks: { text: 'Thanks for letting us know. Have a good day!' },
  },
};
