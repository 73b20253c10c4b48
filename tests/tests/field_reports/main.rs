//! The reports from the field: what people reported about databases in functions and about kept
//! connections, and what must happen instead. One module for each area, one test for each report.

mod wrong_data;
