//! What a probe measured, as it stands in the file.

use serde::{Deserialize, Serialize};

use crate::profile::model::{Axis, FanOut, Joint, Locality, Probed};
use crate::schema::QualifiedName;

#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ProbedForm {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    children: Vec<FanOutForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pages: Vec<LocalityForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    together: Vec<JointForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FanOutForm {
    column: String,
    parent_schema: String,
    parent: String,
    referenced: String,
    childless: f64,
    counts: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LocalityForm {
    column: String,
    distinct: f64,
    spread: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct JointForm {
    one: AxisForm,
    other: AxisForm,
    cells: Vec<(usize, usize, f64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AxisForm {
    column: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    common: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bounds: Vec<String>,
}

impl ProbedForm {
    /// `None` where nothing was measured.
    pub(super) fn of(probed: &Probed) -> Option<Self> {
        let children = |one: &FanOut| FanOutForm {
            column: one.column.clone(),
            parent_schema: one.parent.schema.clone(),
            parent: one.parent.name.clone(),
            referenced: one.referenced.clone(),
            childless: one.childless,
            counts: one.children.clone(),
        };
        let pages = |one: &Locality| LocalityForm {
            column: one.column.clone(),
            distinct: one.distinct,
            spread: one.spread,
        };
        let together = |joint: &Joint| JointForm {
            one: AxisForm::of(&joint.axes[0]),
            other: AxisForm::of(&joint.axes[1]),
            cells: joint.cells.clone(),
        };
        (*probed != Probed::default()).then(|| Self {
            children: probed.fan_outs.iter().map(children).collect(),
            pages: probed.localities.iter().map(pages).collect(),
            together: probed.joints.iter().map(together).collect(),
        })
    }

    pub(super) fn into_probed(self) -> Probed {
        let fan_out = |form: FanOutForm| FanOut {
            column: form.column,
            parent: QualifiedName::new(form.parent_schema, form.parent),
            referenced: form.referenced,
            childless: form.childless,
            children: form.counts,
        };
        let locality = |form: LocalityForm| Locality {
            column: form.column,
            distinct: form.distinct,
            spread: form.spread,
        };
        let joint = |form: JointForm| Joint {
            axes: [form.one.into_axis(), form.other.into_axis()],
            cells: form.cells,
        };
        Probed {
            fan_outs: self.children.into_iter().map(fan_out).collect(),
            localities: self.pages.into_iter().map(locality).collect(),
            joints: self.together.into_iter().map(joint).collect(),
        }
    }
}

impl AxisForm {
    fn of(axis: &Axis) -> Self {
        Self {
            column: axis.column.clone(),
            common: axis.common.clone(),
            bounds: axis.bounds.clone(),
        }
    }

    fn into_axis(self) -> Axis {
        Axis {
            column: self.column,
            common: self.common,
            bounds: self.bounds,
        }
    }
}
