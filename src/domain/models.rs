//! The models that turns may be made with: the one that answers unless somebody asks for another, and the others.

use std::sync::Arc;

use super::Model;

/// The models of the service. Cloning is cheap.
#[derive(Clone)]
pub struct Models {
    usual: Arc<dyn Model>,
    others: Arc<[Arc<dyn Model>]>,
}

/// What was asked for and is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSuchModel {
    /// No model of the provider may be asked for.
    Provider,
    /// The model may not be asked for, of this provider or of any.
    Model,
}

impl Models {
    /// Joins the usual model with the others that clients may ask for.
    pub fn new(usual: Arc<dyn Model>, others: Vec<Arc<dyn Model>>) -> Self {
        Self { usual, others: others.into() }
    }

    /// Returns the model that answers unless somebody asks for another.
    pub fn usual(&self) -> &Arc<dyn Model> {
        &self.usual
    }

    /// Finds the model that a client asks for. What it leaves open is decided by the order: the usual one first. Who names
    /// a model means that one, so what stands in for the usual one does not count then, if it is listed by itself.
    ///
    /// # Errors
    /// Which of the two is not on the list.
    pub fn find(&self, provider: Option<&str>, model: Option<&str>) -> Result<&Arc<dyn Model>, NoSuchModel> {
        let mut knows_provider = false;
        let (first, last) =
            if model.is_some() { (None, Some(&self.usual)) } else { (Some(&self.usual), None) };
        for candidate in first.into_iter().chain(self.others.iter()).chain(last) {
            for name in candidate.names() {
                if provider.is_none_or(|asked| asked == name.provider) {
                    knows_provider = true;
                    if model.is_none_or(|asked| asked == name.model) {
                        return Ok(candidate);
                    }
                }
            }
        }
        Err(if knows_provider { NoSuchModel::Model } else { NoSuchModel::Provider })
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use futures_util::stream::BoxStream;

    use super::*;
    use crate::domain::{ModelError, ModelErrorKind, ModelEvent, ModelIdentity, ModelRequest};

    struct Named(&'static str, &'static str);

    #[async_trait]
    impl Model for Named {
        fn identity(&self) -> ModelIdentity {
            ModelIdentity { provider: self.0.into(), model: self.1.into() }
        }

        async fn stream(
            &self,
            _request: ModelRequest<'_>,
        ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
            Err(ModelError::new(ModelErrorKind::Upstream, "has a name and nothing else"))
        }
    }

    fn found(provider: Option<&str>, model: Option<&str>) -> Result<String, NoSuchModel> {
        let others: [Arc<dyn Model>; 3] = [
            Arc::new(Named("groq", "llama")),
            Arc::new(Named("openai", "gpt-6-luna")),
            Arc::new(Named("openrouter", "llama")),
        ];
        let models = Models::new(Arc::new(Named("openai", "gpt-4o-mini")), others.into());
        models.find(provider, model).map(|model| {
            let ModelIdentity { provider, model } = model.identity();
            format!("{provider} {model}")
        })
    }

    #[test]
    fn what_is_left_open_is_decided_by_the_order() {
        assert_eq!(found(None, None).unwrap(), "openai gpt-4o-mini");
        assert_eq!(found(Some("openai"), None).unwrap(), "openai gpt-4o-mini");
        assert_eq!(found(Some("groq"), None).unwrap(), "groq llama");
        assert_eq!(found(None, Some("llama")).unwrap(), "groq llama");
        assert_eq!(found(Some("openrouter"), Some("llama")).unwrap(), "openrouter llama");
    }

    #[test]
    fn what_is_not_on_the_list_is_named() {
        assert_eq!(found(Some("gemini"), None), Err(NoSuchModel::Provider));
        assert_eq!(found(Some("gemini"), Some("llama")), Err(NoSuchModel::Provider));
        assert_eq!(found(Some("openai"), Some("llama")), Err(NoSuchModel::Model));
        assert_eq!(found(None, Some("gpt-4")), Err(NoSuchModel::Model));
    }
}
