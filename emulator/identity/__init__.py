"""Who is asking: a stand-in for Azure AD's token endpoint, and the tokens it issues."""
