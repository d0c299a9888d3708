//! What to try: scenes, each a few steps that one takes as somebody.

use serde::Serialize;

use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, MALLORY_OUTSIDER};

/// Something that keyvend does, to be seen.
#[derive(Debug, Serialize)]
pub struct Scene {
    pub title: &'static str,
    pub steps: &'static [Step],
}

/// What to do next, and as whom.
#[derive(Debug, Serialize)]
pub struct Step {
    #[serde(rename = "as")]
    pub person: &'static str,
    /// As Slack would mark it up.
    pub text: &'static str,
    /// What to type.
    pub command: Option<&'static str>,
    /// Where to look; without it, at what is new.
    #[serde(rename = "in")]
    pub place: Option<&'static str>,
    /// The command waits in its queue until Slack's trigger is too old.
    pub late: bool,
    /// Whether links want a mailed code from here on.
    pub mail: Option<bool>,
}

const fn as_(person: &'static str, text: &'static str) -> Step {
    Step { person, text, command: None, place: None, late: false, mail: None }
}

impl Step {
    const fn types(mut self, command: &'static str) -> Self {
        self.command = Some(command);
        self
    }

    const fn at_the_card(mut self) -> Self {
        self.place = Some(APPROVALS);
        self
    }

    const fn late(mut self) -> Self {
        self.late = true;
        self
    }

    const fn mail(mut self, on: bool) -> Self {
        self.mail = Some(on);
        self
    }
}

/// The first thing to type.
pub const FIRST: &str = "/access-key create ci-deployer use:local-code ttl:30d tooling on my laptop";

/// All of them, in the order in which they are best seen.
pub const SCENES: [Scene; 9] = [
    Scene {
        title: "From asking to the key",
        steps: &[
            as_(ALICE_OWNER, "*Ask for a key.* `ci-deployer` is Alice's, so she may.").types(FIRST),
            as_(BOB_APPROVER, "*Approve it*, on the card in _approvals_. No key exists yet: see the tab *IAM*.")
                .at_the_card(),
            as_(
                ALICE_OWNER,
                "*Get the key.* Press *Get my key*, open the link, press *Show my key*. Only now is it made, and only that browser tab can read it.",
            ),
            as_(
                ALICE_OWNER,
                "*Open the same link again.* It worked once: the second tab gets nothing, and Alice is warned.",
            ),
        ],
    },
    Scene {
        title: "The form",
        steps: &[
            as_(
                ALICE_OWNER,
                "*Ask in a form.* Choose what the key is for, and it shows what AWS recommends instead. It offers the IAM users of Alice's that keyvend knows; it reads them all in the background, so open it twice.",
            )
            .types("/access-key"),
            as_(
                ALICE_OWNER,
                "*Fill in something wrong*: `arn:aws:iam::1:user/ci` as another IAM user. *Ask* marks the field, and nothing is sent on. Put it right, and the form says how it went.",
            ),
            as_(BOB_APPROVER, "*Deny it*, and say why in the form that opens. Alice reads the reason.").at_the_card(),
            as_(
                ALICE_OWNER,
                "*Open it too late.* Slack lets a form open for three seconds only. This command waits four in its queue, and a button is left that opens the form.",
            )
            .types("/access-key")
            .late(),
        ],
    },
    Scene {
        title: "A code by mail",
        steps: &[
            as_(
                ALICE_OWNER,
                "*Ask while links want a code.* This step switches the code on, under *Mailbox*; so does `--mail` at the start.",
            )
            .types("/access-key create ci-deployer@sandbox use:cli ttl:7d trying the mailed code")
            .mail(true),
            as_(BOB_APPROVER, "*Approve it.*").at_the_card(),
            as_(
                ALICE_OWNER,
                "*Guess.* Press *Get my key*, open the link and type five wrong codes, such as `00000000`. Then the link is locked, and Alice is warned.",
            ),
            as_(
                ALICE_OWNER,
                "*Type the code.* Press *Get my key* again. The new code is in Alice's *Mailbox*: neither the chat nor the mail alone opens the link.",
            ),
            as_(ALICE_OWNER, "*Go on without codes*, so that the other scenes are shorter.").mail(false),
        ],
    },
    Scene {
        title: "Two approvals",
        steps: &[
            as_(ALICE_OWNER, "*Ask for an administrator's key.* It takes two approvals.")
                .types("/access-key create admin-bot use:cli ttl:7d moving the billing account"),
            as_(BOB_APPROVER, "*Approve it.* The card counts one of two. *Details* shows what does not fit it.")
                .at_the_card(),
            as_(CAROL_APPROVER, "*Approve it too.* Now Alice can get the key.").at_the_card(),
        ],
    },
    Scene {
        title: "What is refused",
        steps: &[
            as_(MALLORY_OUTSIDER, "*Ask for somebody else's.* Mallory owns nothing here.")
                .types("/access-key create ci-deployer use:cli ttl:30d I would like one too"),
            as_(BOB_APPROVER, "*Approve your own.* `release-bot` is Bob's; ask, then press *Approve* on its card.")
                .types("/access-key create release-bot use:outside-aws ttl:30d our build server"),
            as_(ALICE_OWNER, "*Ask for the wrong thing.* Code on AWS needs no key, and is told what to use.")
                .types("/access-key create ci-deployer use:aws-compute ttl:30d nightly job on EC2"),
            as_(ALICE_OWNER, "*Ask for a third key.* AWS allows two an IAM user, and `full` has both.")
                .types("/access-key create full use:cli ttl:30d one more"),
        ],
    },
    Scene {
        title: "This wasn't me",
        steps: &[
            as_(
                ALICE_OWNER,
                "*Deactivate a key immediately.* Under the message that a key was created there is *This wasn't me*. The tab *IAM* shows the key as inactive.",
            ),
            as_(BOB_APPROVER, "*The same for approvers*: the button is under the card of every key that is on.")
                .at_the_card(),
        ],
    },
    Scene {
        title: "Freeze",
        steps: &[
            as_(ALICE_OWNER, "*Ask for one more key*, and let Bob approve it.")
                .types("/access-key create report-bot use:outside-aws ttl:90d sending reports"),
            as_(BOB_APPROVER, "*Stop all issuing*, once that is approved.").types("/access-key freeze"),
            as_(
                ALICE_OWNER,
                "*Try to get the key.* The link opens, but nothing is created, and the approval stays.",
            ),
            as_(BOB_APPROVER, "*Let it go on.* Alice can press *Get my key* again.").types("/access-key unfreeze"),
            as_(ALICE_OWNER, "*Only approvers may.*").types("/access-key freeze"),
        ],
    },
    Scene {
        title: "Let time pass",
        steps: &[
            as_(BOB_APPROVER, "*Ask, and be left waiting.*")
                .types("/access-key create release-bot use:third-party ttl:30d publishing releases"),
            as_(
                CAROL_APPROVER,
                "*Let six hours pass*, with the buttons at the top. Every minute keyvend looks for what is due: it reminds the approvers once, in the card's thread.",
            )
            .at_the_card(),
            as_(BOB_APPROVER, "*Let a day pass.* Nobody decided, so the request lapses, and Bob is told."),
            as_(
                ALICE_OWNER,
                "*Let a link expire.* Have this approved by Bob, press *Get my key*, let 15 minutes pass, and only then open the link: it is too late, and no key was made.",
            )
            .types("/access-key create report-bot use:outside-aws ttl:7d one report by hand"),
        ],
    },
    Scene {
        title: "Looking around",
        steps: &[
            as_(ALICE_OWNER, "*See how your requests stand.*").types("/access-key status"),
            as_(ALICE_OWNER, "*Take a request back.* Its link dies with it.").types("/access-key cancel"),
            as_(MALLORY_OUTSIDER, "*See who you are to keyvend.*").types("/access-key whoami"),
            as_(MALLORY_OUTSIDER, "*See all that can be typed.*").types("/access-key help"),
        ],
    },
];
