package config

// securityKeys are the table's rows about TLS, SASL and authorization.
var securityKeys = []Key{
	{
		Name: "authorizer.class.name", Type: String, Default: new(""), Importance: Low, UnservedProtection: true,
		Doc: "Class that decides who may do what; empty is none.",
	},
	{
		Name: "delegation.token.expiry.check.interval.ms", Type: Long, Default: new("3600000"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "How often delegation tokens are checked for expiry.",
	},
	{
		Name: "delegation.token.expiry.time.ms", Type: Long, Default: new("86400000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "How long a delegation token is valid without renewal.",
	},
	{
		Name: "delegation.token.max.lifetime.ms", Type: Long, Default: new("604800000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "How long a delegation token can be renewed.",
	},
	{
		Name: "delegation.token.secret.key", Type: Password, Importance: Medium, Ignored: true,
		Doc: "Key that signs delegation tokens.",
	},
	{
		Name: "principal.builder.class", Type: Class, Default: new("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Class that makes a principal of a connection.",
	},
	{
		Name: "sasl.client.callback.handler.class", Type: Class, Importance: Medium, Ignored: true,
		Doc: "Callback class of SASL clients.",
	},
	{
		Name: "sasl.enabled.mechanisms", Type: List, Default: new("GSSAPI"), check: anyOf(), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "SASL mechanisms offered to clients.",
	},
	{
		Name: "sasl.jaas.config", Type: Password, Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "JAAS login line; with a listener and mechanism prefix it holds the users of PLAIN.",
	},
	{
		Name: "sasl.kerberos.kinit.cmd", Type: String, Default: new("/usr/bin/kinit"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Path of kinit.",
	},
	{
		Name: "sasl.kerberos.min.time.before.relogin", Type: Long, Default: new("60000"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Shortest time between two Kerberos logins.",
	},
	{
		Name: "sasl.kerberos.principal.to.local.rules", Type: List, Default: new("DEFAULT"), check: anyOf(), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Rules that make short names of Kerberos principals.",
	},
	{
		Name: "sasl.kerberos.service.name", Type: String, Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Kerberos service name of the broker.",
	},
	{
		Name: "sasl.kerberos.ticket.renew.jitter", Type: Double, Default: new("0.05"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Random part of the Kerberos renewal time.",
	},
	{
		Name: "sasl.kerberos.ticket.renew.window.factor", Type: Double, Default: new("0.8"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Part of a ticket's life after which it is renewed.",
	},
	{
		Name: "sasl.login.callback.handler.class", Type: Class, Importance: Medium, Ignored: true,
		Doc: "Callback class of the SASL login.",
	},
	{
		Name: "sasl.login.class", Type: Class, Importance: Medium, Ignored: true,
		Doc: "Class of the SASL login.",
	},
	{
		Name: "sasl.login.connect.timeout.ms", Type: Int, Importance: Low, Ignored: true,
		Doc: "Connection time-out of an OAuth login.",
	},
	{
		Name: "sasl.login.read.timeout.ms", Type: Int, Importance: Low, Ignored: true,
		Doc: "Read time-out of an OAuth login.",
	},
	{
		Name: "sasl.login.refresh.buffer.seconds", Type: Short, Default: new("300"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Time before expiry in which a login is not refreshed any more.",
	},
	{
		Name: "sasl.login.refresh.min.period.seconds", Type: Short, Default: new("60"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Shortest time between two login refreshes.",
	},
	{
		Name: "sasl.login.refresh.window.factor", Type: Double, Default: new("0.8"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Part of a login's life after which it is refreshed.",
	},
	{
		Name: "sasl.login.refresh.window.jitter", Type: Double, Default: new("0.05"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Random part of the login refresh time.",
	},
	{
		Name: "sasl.login.retry.backoff.max.ms", Type: Long, Default: new("10000"), Importance: Low, Ignored: true,
		Doc: "Longest pause between login attempts.",
	},
	{
		Name: "sasl.login.retry.backoff.ms", Type: Long, Default: new("100"), Importance: Low, Ignored: true,
		Doc: "First pause between login attempts.",
	},
	{
		Name: "sasl.mechanism.controller.protocol", Type: String, Default: new("GSSAPI"), Importance: High, Ignored: true,
		Doc: "SASL mechanism towards controllers.",
	},
	{
		Name: "sasl.mechanism.inter.broker.protocol", Type: String, Default: new("GSSAPI"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "SASL mechanism between brokers.",
	},
	{
		Name: "sasl.oauthbearer.assertion.algorithm", Type: String, Default: new("RS256"), check: oneOfFold("ES256", "RS256"), Importance: Medium, Ignored: true,
		Doc: "Algorithm that signs OAuth assertions.",
	},
	{
		Name: "sasl.oauthbearer.assertion.claim.aud", Type: String, Importance: Medium, Ignored: true,
		Doc: "Audience claim of OAuth assertions.",
	},
	{
		Name: "sasl.oauthbearer.assertion.claim.exp.seconds", Type: Int, Default: new("300"), check: between(0, 86400), Importance: Low, Ignored: true,
		Doc: "Life of an OAuth assertion.",
	},
	{
		Name: "sasl.oauthbearer.assertion.claim.iss", Type: String, Importance: Medium, Ignored: true,
		Doc: "Issuer claim of OAuth assertions.",
	},
	{
		Name: "sasl.oauthbearer.assertion.claim.jti.include", Type: Boolean, Default: new("false"), Importance: Medium, Ignored: true,
		Doc: "Whether OAuth assertions carry an id.",
	},
	{
		Name: "sasl.oauthbearer.assertion.claim.nbf.seconds", Type: Int, Default: new("60"), check: between(0, 3600), Importance: Low, Ignored: true,
		Doc: "How far before now OAuth assertions become valid.",
	},
	{
		Name: "sasl.oauthbearer.assertion.claim.sub", Type: String, Importance: Medium, Ignored: true,
		Doc: "Subject claim of OAuth assertions.",
	},
	{
		Name: "sasl.oauthbearer.assertion.file", Type: String, Importance: Medium, Ignored: true,
		Doc: "File that holds a ready OAuth assertion.",
	},
	{
		Name: "sasl.oauthbearer.assertion.private.key.file", Type: String, Importance: Medium, Ignored: true,
		Doc: "Key file that signs OAuth assertions.",
	},
	{
		Name: "sasl.oauthbearer.assertion.private.key.passphrase", Type: Password, Importance: Medium, Ignored: true,
		Doc: "Passphrase of that key file.",
	},
	{
		Name: "sasl.oauthbearer.assertion.template.file", Type: String, Importance: Medium, Ignored: true,
		Doc: "File with header and claims of OAuth assertions.",
	},
	{
		Name: "sasl.oauthbearer.client.credentials.client.id", Type: String, Importance: Medium, Ignored: true,
		Doc: "Client id of the OAuth client credentials grant.",
	},
	{
		Name: "sasl.oauthbearer.client.credentials.client.secret", Type: Password, Importance: Medium, Ignored: true,
		Doc: "Client secret of that grant.",
	},
	{
		Name: "sasl.oauthbearer.clock.skew.seconds", Type: Int, Default: new("30"), Importance: Low, Ignored: true,
		Doc: "Clock difference tolerated in OAuth tokens.",
	},
	{
		Name: "sasl.oauthbearer.expected.audience", Type: List, Default: new(""), check: anyOf(), Importance: Low, Ignored: true,
		Doc: "Audiences an OAuth token must name.",
	},
	{
		Name: "sasl.oauthbearer.expected.issuer", Type: String, Importance: Low, Ignored: true,
		Doc: "Issuer an OAuth token must name.",
	},
	{
		Name: "sasl.oauthbearer.jwks.endpoint.refresh.ms", Type: Long, Default: new("3600000"), Importance: Low, Ignored: true,
		Doc: "How often the issuer's keys are read again.",
	},
	{
		Name: "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Type: Long, Default: new("10000"), Importance: Low, Ignored: true,
		Doc: "Longest pause between attempts to read the issuer's keys.",
	},
	{
		Name: "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Type: Long, Default: new("100"), Importance: Low, Ignored: true,
		Doc: "First pause between attempts to read the issuer's keys.",
	},
	{
		Name: "sasl.oauthbearer.jwks.endpoint.url", Type: String, Importance: Medium, Ignored: true,
		Doc: "Address of the issuer's keys.",
	},
	{
		Name: "sasl.oauthbearer.jwt.retriever.class", Type: Class, Default: new("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"), Importance: Medium, Ignored: true,
		Doc: "Class that gets OAuth tokens.",
	},
	{
		Name: "sasl.oauthbearer.jwt.validator.class", Type: Class, Default: new("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"), Importance: Medium, Ignored: true,
		Doc: "Class that checks OAuth tokens.",
	},
	{
		Name: "sasl.oauthbearer.scope", Type: String, Importance: Medium, Ignored: true,
		Doc: "Scope asked for in an OAuth login.",
	},
	{
		Name: "sasl.oauthbearer.scope.claim.name", Type: String, Default: new("scope"), Importance: Low, Ignored: true,
		Doc: "Claim that holds the scope.",
	},
	{
		Name: "sasl.oauthbearer.sub.claim.name", Type: String, Default: new("sub"), Importance: Low, Ignored: true,
		Doc: "Claim that holds the principal.",
	},
	{
		Name: "sasl.oauthbearer.token.endpoint.url", Type: String, Importance: Medium, Ignored: true,
		Doc: "Address that issues OAuth tokens.",
	},
	{
		Name: "sasl.server.callback.handler.class", Type: Class, Importance: Medium, Ignored: true,
		Doc: "Callback class of SASL servers.",
	},
	{
		Name: "sasl.server.max.receive.size", Type: Int, Default: new("524288"), Importance: Medium, Ignored: true,
		Doc: "Largest SASL message accepted during a login.",
	},
	{
		Name: "security.providers", Type: String, Importance: Low, Ignored: true,
		Doc: "Java security providers.",
	},
	{
		Name: "ssl.allow.dn.changes", Type: Boolean, Default: new("false"), Importance: Low, Ignored: true,
		Doc: "Whether a new key store may change the distinguished name.",
	},
	{
		Name: "ssl.allow.san.changes", Type: Boolean, Default: new("false"), Importance: Low, Ignored: true,
		Doc: "Whether a new key store may change the alternative names.",
	},
	{
		Name: "ssl.cipher.suites", Type: List, Default: new(""), check: anyOf(), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Cipher suites offered; empty is the default choice.",
	},
	{
		Name: "ssl.client.auth", Type: String, Default: new("none"), check: oneOf("required", "requested", "none"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Whether TLS clients must, may or need not show a certificate.",
	},
	{
		Name: "ssl.enabled.protocols", Type: List, Default: new("TLSv1.2,TLSv1.3"), check: anyOf(), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "TLS versions offered.",
	},
	{
		Name: "ssl.endpoint.identification.algorithm", Type: String, Default: new("https"), Importance: Low, Update: PerBroker, Ignored: true,
		Doc: "How host names are checked against certificates.",
	},
	{
		Name: "ssl.engine.factory.class", Type: Class, Importance: Low, Update: PerBroker, Ignored: true,
		Doc: "Class that makes TLS engines.",
	},
	{
		Name: "ssl.key.password", Type: Password, Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Password of the private key.",
	},
	{
		Name: "ssl.keymanager.algorithm", Type: String, Default: new("SunX509"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Algorithm of the Java key manager.",
	},
	{
		Name: "ssl.keystore.certificate.chain", Type: Password, Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Certificate chain in PEM, instead of a file.",
	},
	{
		Name: "ssl.keystore.key", Type: Password, Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Private key in PEM, instead of a file.",
	},
	{
		Name: "ssl.keystore.location", Type: String, Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "File with the broker's key and certificates.",
	},
	{
		Name: "ssl.keystore.password", Type: Password, Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Password of that file.",
	},
	{
		Name: "ssl.keystore.type", Type: String, Default: new("JKS"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Format of that file: PEM, PKCS12 or JKS.",
	},
	{
		Name: "ssl.principal.mapping.rules", Type: String, Default: new("DEFAULT"), Importance: Low, Ignored: true,
		Doc: "Rules that make a principal's name of a certificate's distinguished name.",
	},
	{
		Name: "ssl.protocol", Type: String, Default: new("TLSv1.3"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "TLS version of new contexts.",
	},
	{
		Name: "ssl.provider", Type: String, Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Java provider of TLS.",
	},
	{
		Name: "ssl.secure.random.implementation", Type: String, Importance: Low, Update: PerBroker, Ignored: true,
		Doc: "Java random number generator for TLS.",
	},
	{
		Name: "ssl.trustmanager.algorithm", Type: String, Default: new("PKIX"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Algorithm of the Java trust manager.",
	},
	{
		Name: "ssl.truststore.certificates", Type: Password, Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Trusted certificates in PEM, instead of a file.",
	},
	{
		Name: "ssl.truststore.location", Type: String, Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "File with the trusted certificates.",
	},
	{
		Name: "ssl.truststore.password", Type: Password, Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Password of that file.",
	},
	{
		Name: "ssl.truststore.type", Type: String, Default: new("JKS"), Importance: Medium, Update: PerBroker, Ignored: true,
		Doc: "Format of that file: PEM, PKCS12 or JKS.",
	},
}
