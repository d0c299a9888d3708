//! The HTTP APIs: which function a route reaches, what limits it, and what is logged of it.

use crate::template::{TEMPLATE, flat, names, of_type, part, properties, says, throttled};

/// Slack's routes and the page's are of two APIs, so that they share neither a stage's limit nor a function's executions:
/// somebody who floods the page keeps nobody from **This wasn't me**.
// T6.7
#[test]
fn slack_and_the_page_share_no_limit() {
    assert_eq!(of_type("AWS::ApiGatewayV2::Api"), ["Api", "PageApi"]);
    assert_eq!(of_type("AWS::ApiGatewayV2::Stage"), ["Stage", "PageStage"]);
    for route in of_type("AWS::ApiGatewayV2::Route") {
        let own = properties(route);
        let (api, integration) = match own.contains("/slack/") {
            true => ("Api", "SlackIntegration"),
            false => ("PageApi", "RevealIntegration"),
        };
        assert!(own.contains(&format!("ApiId: !Ref {api} ")), "{route}: {own}");
        assert!(own.contains(&format!("integrations/${{{integration}}}")), "{route}: {own}");
        assert!(properties(integration).contains(&format!("ApiId: !Ref {api} ")), "{integration}");
    }
    for (stage, api, path) in [("Stage", "Api", "/slack/"), ("PageStage", "PageApi", "/reveal")] {
        assert!(says(stage, &format!("ApiId: !Ref {api}")), "{stage}");
        let routes = throttled(stage);
        assert!(routes.iter().all(|(route, _)| route.contains(path)), "{stage}: {routes:?}");
        // What all routes of a stage may take together is no less than the sum of theirs: none takes from another.
        let sum: u32 = routes.iter().map(|(_, rate)| rate).sum();
        assert!(says(
            stage,
            &format!(
                "DefaultRouteSettings: {{ ThrottlingRateLimit: {sum}, ThrottlingBurstLimit: {} }}",
                2 * sum
            )
        ));
    }
    assert!(properties("ApiMayCallSlack").contains("${Api}/*/POST/slack/*"));
    assert!(properties("ApiMayCallReveal").contains("${PageApi}/*/*/reveal*"));
    for (function, least) in [("Slack", 20), ("Reveal", 10)] {
        let reserved = format!("{function}ReservedConcurrency");
        let own = format!(
            "ReservedConcurrentExecutions: !If [{function}Reserved, !Ref {reserved}, !Ref AWS::NoValue]"
        );
        assert!(says(function, &own), "{function}");
        let parameter = flat(&part(TEMPLATE, &["Parameters:", &format!("{reserved}:")]));
        assert!(parameter.starts_with(&format!("Type: Number Default: {least} MinValue: 0 ")), "{parameter}");
    }
    // Throttles would count towards a message's six receives.
    assert!(!properties("Worker").contains("ReservedConcurrentExecutions"));
}

/// With a domain of its own, Slack's API answers nobody but who has a client certificate under the CAs that are named.
// T6.7
#[test]
fn mutual_tls_disables_default_endpoint() {
    assert!(says("Api", "DisableExecuteApiEndpoint: !If [SlackDomain, true, false]"));
    assert_eq!(of_type("AWS::ApiGatewayV2::DomainName"), ["SlackDomainOfApi"]);
    let domain = properties("SlackDomainOfApi");
    for part in [
        "Condition: SlackDomain",
        "DomainName: !Ref SlackDomainName",
        "MutualTlsAuthentication: { TruststoreUri: !Ref SlackTruststoreUri }",
    ] {
        assert!(domain.contains(part), "{part}: {domain}");
    }
    assert_eq!(of_type("AWS::ApiGatewayV2::ApiMapping"), ["SlackDomainMapping"]);
    assert!(says("SlackDomainMapping", "ApiId: !Ref Api"), "and never the page's, whose visitors have none");
}

#[test]
fn access_log_never_contains_request_path() {
    // It names the route.
    assert!(says("Api", "ProtocolType: HTTP") && says("PageApi", "ProtocolType: HTTP"));
    for integration in of_type("AWS::ApiGatewayV2::Integration") {
        assert!(properties(integration).contains(r#"PayloadFormatVersion: "2.0""#), "{integration}");
    }
    let harmless =
        ["requestId", "requestTime", "routeKey", "status", "responseLatency", "integrationLatency"];
    for stage in of_type("AWS::ApiGatewayV2::Stage") {
        let log = flat(&part(TEMPLATE, &[&format!("{stage}:"), "AccessLogSettings:"]));
        let logged = names(log.split("$context.").skip(1).map(|rest| rest.split('"').next().unwrap()));
        assert_eq!(logged, names(harmless), "{stage}");
    }
}
