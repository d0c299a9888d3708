//! Which actions confer rights that a policy document does not say: the one table to look at, and to add to. Everything
//! is in lower case.
//!
//! Sources, cited by their short names:
//! - rhino: <https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/>, parts 1 and 2
//! - pathfinding: <https://pathfinding.cloud/paths/>, <https://github.com/DataDog/pathfinding.cloud>, `data/paths`
//! - cloudsplaining: <https://github.com/salesforce/cloudsplaining>, `cloudsplaining/shared/constants.py`
//! - pmapper: <https://github.com/nccgroup/PMapper>, `principalmapper/graphing`
//! - hacktricks: <https://cloud.hacktricks.wiki/en/pentesting-cloud/aws-security/aws-privilege-escalation/index.html>
//! - sar: <https://docs.aws.amazon.com/service-authorization/latest/reference/>
//!
//! What only starts something with a role that the caller passes is not in it: `iam:PassRole` is what decides there.

/// The services that decide who may do what. Any action of these that is not shown to be harmless is privileged.
pub(crate) const IDENTITY: &[&str] =
    &["iam:*", "sts:*", "sso*:*", "identitystore*:*", "identity-sync:*", "organizations:*"];

/// What they only tell. AWS's own ReadOnlyAccess allows all of it.
pub(crate) const HARMLESS_PREFIXES: &[&str] = &[
    "iam:get",
    "iam:list",
    "iam:simulate",
    // Reports of credentials, last uses and organizations.
    "iam:generate",
    // `GetRoleCredentials` takes the token of somebody who signed in, not this permission
    // (https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html).
    "sso:describe",
    "sso:get",
    "sso:list",
    "sso:search",
    "sso-directory:describe",
    "sso-directory:get",
    "sso-directory:list",
    "sso-directory:search",
    "identitystore:describe",
    "identitystore:get",
    "identitystore:ismember",
    "identitystore:list",
    "identitystore-auth:batchget",
    "identitystore-auth:list",
    "identity-sync:get",
    "identity-sync:list",
    "organizations:describe",
    "organizations:list",
];

/// Single actions that give nobody anything. By their names alone `GetFederationToken`, `GetWebIdentityToken` and
/// `GetDelegatedAccessToken` are reads, too: they hand out an identity that outlives the key, and are privileged.
pub(crate) const HARMLESS: &[&str] = &[
    // Whoever calls changes their own password and no other
    // (https://docs.aws.amazon.com/IAM/latest/APIReference/API_ChangePassword.html).
    "iam:changepassword",
    "sts:decodeauthorizationmessage",
    "sts:getaccesskeyinfo",
    // Needs no permission at all (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
    "sts:getcalleridentity",
    // For CodeArtifact and public ECR, with the caller's rights there.
    "sts:getservicebearertoken",
    // The caller's own rights, for a time; needs no permission either
    // (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_getsessiontoken.html).
    "sts:getsessiontoken",
];

/// What makes one a role, or has a service be one: ordinary where every role is named (rhino 15-21, pathfinding sts-001).
/// `AssumeRoleWithSAML` and `AssumeRoleWithWebIdentity` are among it.
pub(crate) const OF_ROLES_PREFIX: &str = "sts:assumerole";
pub(crate) const OF_ROLES: &[&str] =
    &["iam:passrole", "sts:setcontext", "sts:setsourceidentity", "sts:tagsession"];

/// What changes how one signs in, and nothing of what one may do: ordinary where the user alone is named. Not among it:
/// policies, groups, the boundary, and tags, which may decide who owns the user.
pub(crate) const SELF_SERVICE: &[&str] = &[
    "iam:createaccesskey",
    "iam:createloginprofile",
    "iam:createservicespecificcredential",
    "iam:deactivatemfadevice",
    "iam:deleteaccesskey",
    "iam:deleteloginprofile",
    "iam:deleteservicespecificcredential",
    "iam:deletesigningcertificate",
    "iam:deletesshpublickey",
    "iam:enablemfadevice",
    "iam:resetservicespecificcredential",
    "iam:resyncmfadevice",
    "iam:updateaccesskey",
    "iam:updateloginprofile",
    "iam:updateservicespecificcredential",
    "iam:updatesigningcertificate",
    "iam:updatesshpublickey",
    "iam:uploadsigningcertificate",
    "iam:uploadsshpublickey",
];

/// A service in which some actions confer the rights of another principal.
#[derive(Debug)]
pub(crate) struct Service {
    pub name: &'static str,
    pub confers: &'static [&'static str],
    /// The services whose ARNs name what has those rights. Where a statement names each literally, it gives the rights of
    /// these and no others, as `iam:PassRole` of a named role does, and is ordinary. Empty where no resource bounds them.
    pub resources: &'static [&'static str],
}

pub(crate) const SERVICES: &[Service] = &[
    // hacktricks MWAA: a token for Airflow, whose jobs have the environment's role.
    Service {
        name: "airflow",
        confers: &["createclitoken", "createweblogintoken", "updateenvironment"],
        resources: &["airflow"],
    },
    // hacktricks Amplify: build commands run with the app's role.
    Service { name: "amplify", confers: &["updateapp", "updatebranch"], resources: &["amplify"] },
    // pathfinding apprunner-002: the command of a service that has a role.
    Service { name: "apprunner", confers: &["updateservice"], resources: &["apprunner"] },
    // hacktricks AppStream: a desktop with the fleet's role.
    Service { name: "appstream", confers: &["createstreamingurl"], resources: &["appstream"] },
    // pmapper autoscaling_edges: instances of a launch configuration that has a role.
    Service { name: "autoscaling", confers: &["createautoscalinggroup"], resources: &[] },
    // hacktricks Batch: the command of a job that has a role.
    Service { name: "batch", confers: &["submitjob"], resources: &["batch"] },
    // pathfinding bedrock-001, bedrock-002: code in an interpreter that has a role; sar: tokens and API keys of others.
    Service {
        name: "bedrock-agentcore",
        confers: &[
            "connectbrowser*",
            "create*",
            "getresource*",
            "getworkloadaccesstoken*",
            "invokeagentruntimecommand*",
            "invokecodeinterpreter",
            "start*",
            "update*",
        ],
        resources: &[],
    },
    // hacktricks Cloud9: an environment has its owner's credentials.
    Service {
        name: "cloud9",
        confers: &["createenvironmentmembership", "createenvironmenttoken", "updateenvironmentmembership"],
        resources: &[],
    },
    // rhino 20, pathfinding cloudformation-001 to -005, pmapper cloudformation_edges: templates run with the role of a stack
    // or stack set, which is seldom bounded. What only judges templates is not among it.
    Service {
        name: "cloudformation",
        confers: &[
            "activate*",
            "continueupdaterollback",
            "create*",
            "execute*",
            "import*",
            "register*",
            "rollbackstack",
            "settypeconfiguration",
            "update*",
        ],
        resources: &[],
    },
    // pathfinding codebuild-001 to -004, pmapper codebuild_edges: a build's commands, or a sandbox, have the project's role.
    Service { name: "codebuild", confers: &["create*", "start*", "update*"], resources: &["codebuild"] },
    // hacktricks CodeDeploy: scripts run with the role of the instances.
    Service { name: "codedeploy", confers: &["createdeployment"], resources: &["codedeploy"] },
    // sar: a job is handed out with credentials for its artifacts.
    Service { name: "codepipeline", confers: &["pollfor*", "updatepipeline"], resources: &[] },
    // rhino part 2: a project's template runs with CodeStar's role; a team member has the project's rights.
    Service {
        name: "codestar",
        confers: &["associateteammember", "createproject*", "updateteammember"],
        resources: &[],
    },
    // hacktricks Cognito: whom a pool's roles are given to. Not `GetOpenIdTokenForDeveloperIdentity` and
    // `GetCredentialsForIdentity`, which AWS's own ReadOnlyAccess allows.
    Service {
        name: "cognito-identity",
        confers: &[
            "createidentitypool",
            "setidentitypoolroles",
            "setprincipaltagattributemap",
            "updateidentitypool",
        ],
        resources: &["cognito-identity"],
    },
    // hacktricks Cognito: a group has a role.
    Service {
        name: "cognito-idp",
        confers: &["adminaddusertogroup", "creategroup", "updategroup"],
        resources: &["cognito-idp"],
    },
    // rhino 21, pathfinding datapipeline-001: commands run with the pipeline's role.
    Service {
        name: "datapipeline",
        confers: &["activatepipeline", "createpipeline", "putpipelinedefinition"],
        resources: &[],
    },
    // hacktricks Directory Services: users of a directory sign in to the console with roles.
    Service { name: "ds", confers: &["createalias", "enablesso", "resetuserpassword"], resources: &[] },
    Service { name: "ds-data", confers: &["addgroupmember", "createuser", "updateuser"], resources: &[] },
    // pathfinding ec2-002, ec2-004, pmapper ec2_edges: what an instance with a role starts with, or which role it has.
    Service {
        name: "ec2",
        confers: &[
            "associateiaminstanceprofile",
            "createlaunchtemplateversion",
            "modifyinstanceattribute",
            "modifylaunchtemplate",
            "replaceiaminstanceprofileassociation",
        ],
        resources: &["ec2"],
    },
    // pathfinding ec2instanceconnect-003: a shell on an instance that has a role.
    Service { name: "ec2-instance-connect", confers: &["send*"], resources: &["ec2"] },
    // hacktricks ECS, cloudsplaining: a shell in a task that has a role, or the command of one. A task has no name that
    // lasts.
    Service { name: "ecs", confers: &["executecommand", "runtask", "starttask"], resources: &[] },
    // hacktricks EKS: rights in a cluster, whose pods have roles.
    Service {
        name: "eks",
        confers: &[
            "associateaccesspolicy",
            "associateidentityproviderconfig",
            "createaccessentry",
            "createpodidentityassociation",
            "updateaccessentry",
            "updateclusterconfig",
            "updatepodidentityassociation",
        ],
        resources: &[],
    },
    // hacktricks Elastic Beanstalk: code runs with the environment's role.
    Service {
        name: "elasticbeanstalk",
        confers: &["createapplicationversion", "createenvironment", "updateenvironment"],
        resources: &[],
    },
    // hacktricks EMR: commands run with the cluster's role; sar: credentials for a cluster, a notebook in one.
    Service {
        name: "elasticmapreduce",
        confers: &[
            "addjobflowsteps",
            "createpersistentappui",
            "createstudiopresignedurl",
            "getclustersessioncredentials",
            "openeditorinconsole",
            "starteditor",
            "startnotebookexecution",
        ],
        resources: &["elasticmapreduce"],
    },
    // sar: the role is an argument that no `iam:PassRole` guards.
    Service {
        name: "emr-containers",
        confers: &["create*", "getmanagedendpointsessioncredentials", "startjobrun"],
        resources: &[],
    },
    // rhino 18 and 19, pathfinding glue-001 to -006: code runs with the role of a development endpoint, job or session.
    Service {
        name: "glue",
        confers: &[
            "createdevendpoint",
            "createjob",
            "createsession",
            "runstatement",
            "startjobrun",
            "updatedevendpoint",
            "updatejob*",
        ],
        resources: &["glue"],
    },
    // sar: components run on devices with the token exchange role.
    Service { name: "greengrass", confers: &["createdeployment"], resources: &[] },
    // hacktricks IoT: a certificate is exchanged for a role's credentials
    // (https://docs.aws.amazon.com/iot/latest/developerguide/authorizing-direct-aws.html).
    Service {
        name: "iot",
        confers: &[
            "attachpolicy",
            "attachprincipalpolicy",
            "createpolicyversion",
            "createrolealias",
            "setdefaultpolicyversion",
            "updaterolealias",
        ],
        resources: &[],
    },
    // rhino 17 and part 2, pathfinding lambda-001 to -006, pmapper lambda_edges: code runs with the function's role. Who may
    // invoke a function, by `InvokeFunction` or `AddPermission`, has what it does, not its role.
    Service {
        name: "lambda",
        confers: &["createfunction", "updatefunctioncode", "updatefunctionconfiguration"],
        resources: &["lambda"],
    },
    // hacktricks IAM Roles Anywhere: an authority of one's own signs certificates for roles.
    Service {
        name: "rolesanywhere",
        confers: &["create*", "enable*", "importcrl", "putattributemapping", "update*"],
        resources: &[],
    },
    // rhino part 2, pathfinding sagemaker-001 to -005, pmapper sagemaker_edges: code runs with the role of a notebook, job,
    // domain or pipeline.
    Service { name: "sagemaker", confers: &["create*", "start*", "update*"], resources: &[] },
    // cloudsplaining, pathfinding: secrets are other principals' credentials; a policy of one's own on a secret reads it.
    Service {
        name: "secretsmanager",
        confers: &["getsecretvalue", "putresourcepolicy"],
        resources: &["secretsmanager"],
    },
    // hacktricks Service Catalog: templates run with the launch role.
    Service {
        name: "servicecatalog",
        confers: &["createconstraint", "createproduct", "createprovisioningartifact", "update*"],
        resources: &[],
    },
    // pathfinding ssm-001 and ssm-002, pmapper ssm_edges, hacktricks SSM: commands on instances that have a role, now, by an
    // association, a maintenance window, an automation, or a document that others run.
    Service {
        name: "ssm",
        confers: &[
            "createassociation*",
            "createdocument",
            "registertask*",
            "resumesession",
            "sendcommand",
            "startassociationsonce",
            "startautomationexecution",
            "startchangerequestexecution",
            "startsession",
            "updateassociation*",
            "updatedocument*",
            "updatemaintenancewindow*",
            "updatemanagedinstancerole",
        ],
        resources: &["ec2", "ssm"],
    },
    // sar: a desktop on an instance that has a role.
    Service { name: "ssm-guiconnect", confers: &["start*"], resources: &[] },
    // hacktricks Step Functions: steps run with the state machine's role.
    Service {
        name: "states",
        confers: &["createstatemachine*", "teststate", "updatestatemachine*"],
        resources: &["states"],
    },
    // sar: another's files by a key of one's own.
    Service {
        name: "transfer",
        confers: &["createuser", "importsshpublickey", "updateuser"],
        resources: &["transfer"],
    },
];
