//! The guided tour: scenes of a few steps, each taken as one person.

use serde::Serialize;

use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, MALLORY_OUTSIDER};

/// A scene that demonstrates one feature.
#[derive(Debug, Serialize)]
pub struct Scene {
    pub title: &'static str,
    pub steps: &'static [Step],
}

/// One step, and the person who takes it.
#[derive(Debug, Serialize)]
pub struct Step {
    #[serde(rename = "as")]
    pub person: &'static str,
    /// In mrkdwn.
    pub text: &'static str,
    /// The command to type.
    pub command: Option<&'static str>,
    /// The channel to show; otherwise the newest messages.
    #[serde(rename = "in")]
    pub place: Option<&'static str>,
    /// The command is delayed in its queue until Slack's trigger has expired.
    pub late: bool,
    /// Whether links need an emailed code from here on.
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

/// The first command.
pub const FIRST: &str = "/access-key create ci-deployer use:local-code ttl:30d tooling on my laptop";

/// All scenes, in the recommended order.
pub const SCENES: [Scene; 13] = [
    Scene {
        title: "From request to key",
        steps: &[
            as_(ALICE_OWNER, "*Request a key.* Alice owns `ci-deployer`, so she may.").types(FIRST),
            as_(BOB_APPROVER, "*Approve it*, on the card in _approvals_. No key exists yet: see the tab *IAM*.")
                .at_the_card(),
            as_(
                ALICE_OWNER,
                "*Get the key.* Press *Get my key*, open the link, press *Create my key*. Only now is the key created, and only that browser tab can read it.",
            ),
            as_(
                ALICE_OWNER,
                "*Open the same link again.* It works only once: the second tab gets nothing, and Alice is warned.",
            ),
        ],
    },
    Scene {
        title: "The form",
        steps: &[
            as_(
                ALICE_OWNER,
                "*Use the form.* Choose a use case, and the form shows what AWS recommends instead. It lists Alice's IAM users that keyvend knows; keyvend loads them in the background, so open it twice.",
            )
            .types("/access-key"),
            as_(
                ALICE_OWNER,
                "*Enter something invalid*: `arn:aws:iam::1:user/ci` as another IAM user. *Submit request* marks the field, and nothing is sent. Correct it, and the form shows the result. *Also in these accounts* requests the same in `sandbox`.",
            ),
            as_(BOB_APPROVER, "*Ask* Alice something on the card: she gets it with *Answer*, and her answer comes into the card's thread. As long as it is pending she can *Edit* her request, too. Then *Deny it*, and enter a reason in the form that opens. Alice reads the reason.").at_the_card(),
            as_(
                ALICE_OWNER,
                "*Open it too late.* Slack allows three seconds to open a form. This command is delayed by four, and leaves a button that opens the form.",
            )
            .types("/access-key")
            .late(),
        ],
    },
    Scene {
        title: "A code by email",
        steps: &[
            as_(
                ALICE_OWNER,
                "*Request a key while links need a code.* This step turns codes on, under *Mailbox*; so does `--mail` at the start.",
            )
            .types("/access-key create ci-deployer@sandbox use:cli ttl:7d trying the emailed code")
            .mail(true),
            as_(BOB_APPROVER, "*Approve it.*").at_the_card(),
            as_(
                ALICE_OWNER,
                "*Guess.* Press *Get my key*, open the link and enter five wrong codes, such as `00000000`. The link is then locked, and Alice is warned.",
            ),
            as_(
                ALICE_OWNER,
                "*Enter the code.* Press *Get my key* again. The new code is in Alice's *Mailbox*: neither the chat nor the email is enough to open the link.",
            ),
            as_(ALICE_OWNER, "*Continue without codes*, so that the other scenes are shorter.").mail(false),
        ],
    },
    Scene {
        title: "Two approvals",
        steps: &[
            as_(ALICE_OWNER, "*Request an administrator's key.* It needs two approvals.")
                .types("/access-key create admin-bot use:cli ttl:7d moving the billing account"),
            as_(BOB_APPROVER, "*Approve it.* The card counts one of two. *Details* shows what does not fit on it.")
                .at_the_card(),
            as_(CAROL_APPROVER, "*Approve it too.* Now Alice can get the key.").at_the_card(),
        ],
    },
    Scene {
        title: "Denied requests",
        steps: &[
            as_(MALLORY_OUTSIDER, "*Request a key of somebody else's IAM user.* Mallory owns none.")
                .types("/access-key create ci-deployer use:cli ttl:30d I would like one too"),
            as_(BOB_APPROVER, "*Approve your own request.* Bob owns `release-bot`; request a key, then press *Approve* on its card.")
                .types("/access-key create release-bot use:outside-aws ttl:30d our build server"),
            as_(ALICE_OWNER, "*Request the wrong thing.* Code on AWS needs no key, and keyvend says what to use instead.")
                .types("/access-key create ci-deployer use:aws-compute ttl:30d nightly job on EC2"),
            as_(ALICE_OWNER, "*Request a third key.* AWS allows two keys per IAM user, and `full` has both.")
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
            as_(BOB_APPROVER, "*The same for approvers*: the button is under the card of every issued key.")
                .at_the_card(),
            as_(
                CAROL_APPROVER,
                "*Bring a reported key back.* Alice can only delete it: her account may be the one that was taken over. An approver who did not request the key may press *Request reactivation*.",
            )
            .types("/access-key list ci-deployer"),
        ],
    },
    Scene {
        title: "Manage your keys",
        steps: &[
            as_(ALICE_OWNER, "*Request a key* of `report-bot`; let Bob approve it, and get it.")
                .types("/access-key create report-bot use:outside-aws ttl:30d nightly reports"),
            as_(ALICE_OWNER, "*List the keys.* Each has its age, last use and expiry, and a button for everything that Alice may do.")
                .types("/access-key list report-bot"),
            as_(
                ALICE_OWNER,
                "*Rotate it.* Press *Rotate*, let Bob approve, and get the new key. Both work, until you have replaced the old one where it is used.",
            ),
            as_(
                ALICE_OWNER,
                "*Let a day pass.* Nothing has used the old key since, so keyvend asks: press *Deactivate the old key*.",
            ),
            as_(
                ALICE_OWNER,
                "*Undo it.* Something broke after all? For 15 minutes, *Undo* in Alice's direct messages makes the key active again at once.",
            ),
        ],
    },
    Scene {
        title: "A key expires",
        steps: &[
            as_(BOB_APPROVER, "*Request a key for a week*; let Carol approve it, and get it.")
                .types("/access-key create release-bot use:third-party ttl:7d one release"),
            as_(BOB_APPROVER, "*Let six days pass.* A reminder comes: press *Extend*, and let Carol approve. The key then expires a week from now."),
            as_(BOB_APPROVER, "*Let seven days pass.* The key has expired and is inactive. A week later it is deleted."),
            as_(
                BOB_APPROVER,
                "*Request reactivation*, if something broke. Carol approves it, and the key works for another 24 hours, once.",
            ),
        ],
    },
    Scene {
        title: "A key nobody received",
        steps: &[
            as_(ALICE_OWNER, "*Request a key*, let Bob approve it, open its link and press *Create my key*. Then close the tab without showing the key.")
                .types("/access-key create ci-deployer@sandbox use:local-code ttl:7d trying something"),
            as_(ALICE_OWNER, "*Let 15 minutes pass.* Nobody confirmed receipt, so the key is inactive: it may be in the wrong hands."),
            as_(ALICE_OWNER, "*Get a new key.* The unreceived one is deleted, and the approval counts for the new one."),
        ],
    },
    Scene {
        title: "Two keys",
        steps: &[
            as_(ALICE_OWNER, "*Request a third key.* AWS allows two per IAM user. keyvend shows both, with their last use: press *Deactivate* on one of them.")
                .types("/access-key create full use:cli ttl:30d one more"),
            as_(ALICE_OWNER, "*Delete the inactive key*, when nothing needed it.").types("/access-key list full"),
            as_(ALICE_OWNER, "*Request it again.* Now there is room.")
                .types("/access-key create full use:cli ttl:30d one more"),
        ],
    },
    Scene {
        title: "Freeze",
        steps: &[
            as_(ALICE_OWNER, "*Request one more key*, and let Bob approve it.")
                .types("/access-key create report-bot use:outside-aws ttl:90d sending reports"),
            as_(BOB_APPROVER, "*Freeze issuing*, once that is approved.").types("/access-key freeze"),
            as_(
                ALICE_OWNER,
                "*Try to get the key.* *Get my key* gives no link, and the approval remains valid.",
            ),
            as_(BOB_APPROVER, "*Resume issuing.* Alice can press *Get my key* again.").types("/access-key unfreeze"),
            as_(ALICE_OWNER, "*Only approvers may.*").types("/access-key freeze"),
        ],
    },
    Scene {
        title: "Let time pass",
        steps: &[
            as_(BOB_APPROVER, "*Request a key, and wait.*")
                .types("/access-key create release-bot use:third-party ttl:30d publishing releases"),
            as_(
                CAROL_APPROVER,
                "*Let six hours pass*, with the buttons at the top. keyvend checks every minute what is due: it reminds the approvers once, in the card's thread.",
            )
            .at_the_card(),
            as_(BOB_APPROVER, "*Let a day pass.* Nobody decided, so the request expires, and Bob is notified."),
            as_(
                ALICE_OWNER,
                "*Let a link expire.* Have this approved by Bob, press *Get my key*, let 15 minutes pass, and only then open the link: it is too late, and no key is created.",
            )
            .types("/access-key create report-bot use:outside-aws ttl:7d one report by hand"),
        ],
    },
    Scene {
        title: "Status and help",
        steps: &[
            as_(ALICE_OWNER, "*Show your requests.*").types("/access-key status"),
            as_(ALICE_OWNER, "*Cancel a request.* Its link stops working.").types("/access-key cancel"),
            as_(MALLORY_OUTSIDER, "*Show your identity.*").types("/access-key whoami"),
            as_(MALLORY_OUTSIDER, "*Show all commands.*").types("/access-key help"),
        ],
    },
];
